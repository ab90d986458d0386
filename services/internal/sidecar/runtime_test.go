package sidecar_test

import (
	"bytes"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// TestWhatBreaksOffIsNotAnswered holds the daprd that we build to what every
// caller and every consumer relies on: what the app has not answered was not
// done (ADR 26). In daprd, calls and events reach an app the same way.
func TestWhatBreaksOffIsNotAnswered(t *testing.T) {
	const (
		clients = 64
		each    = 200
		lively  = 8 // one client in so many asks for what is answered
	)
	base := startRuntime(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/internal/breaks" {
			panic(http.ErrAbortHandler) // as if killed
		}
		_, _ = io.WriteString(w, `{"done":true}`)
	}))
	var answered, failed atomic.Int64
	var all sync.WaitGroup
	for i := range clients {
		all.Go(func() {
			for range each {
				if i%lively == 0 {
					if post(t, base+"/internal/answers") != http.StatusOK {
						failed.Add(1)
					}
				} else if post(t, base+"/internal/breaks") < http.StatusInternalServerError {
					answered.Add(1)
				}
			}
		})
	}
	all.Wait()
	if answered.Load() > 0 || failed.Load() > 0 {
		t.Errorf("of %d calls, %d that broke off were answered and %d that the app answered failed", clients*each, answered.Load(), failed.Load())
	}
}

// post gives the status that daprd answers a call with; 500 stands for none.
func post(t *testing.T, url string) int {
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, strings.NewReader("{}"))
	if err != nil {
		t.Error(err)
		return 0
	}
	req.Header.Set("dapr-api-token", apiToken)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return http.StatusInternalServerError
	}
	defer func() { _ = resp.Body.Close() }()
	_, _ = io.Copy(io.Discard, resp.Body)
	return resp.StatusCode
}

const apiToken = "token"

// startRuntime runs daprd beside the app and says where the app is called.
func startRuntime(t *testing.T, app http.Handler) string {
	t.Helper()
	daprd := os.Getenv("CARAVAN_TEST_DAPRD")
	if daprd == "" {
		t.Fatal("CARAVAN_TEST_DAPRD is not set: it must give the path of a daprd binary; `make test` starts all that the tests need")
	}
	server := httptest.NewServer(app)
	t.Cleanup(server.Close)
	ports := lowPorts(t, 3)
	log := &bytes.Buffer{}
	cmd := exec.CommandContext(t.Context(), daprd, "--app-id", "order", "--resources-path", t.TempDir(),
		"--app-port", server.URL[strings.LastIndex(server.URL, ":")+1:],
		"--dapr-http-port", strconv.Itoa(ports[0]), "--dapr-grpc-port", strconv.Itoa(ports[1]), "--dapr-internal-grpc-port", strconv.Itoa(ports[2]),
		"--dapr-listen-addresses", "127.0.0.1", "--enable-metrics=false", "--log-level", "fatal")
	cmd.Env = append(os.Environ(), "DAPR_API_TOKEN="+apiToken, "DAPR_HOST_IP=127.0.0.1")
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		t.Fatalf("start daprd: %v", err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("daprd said:\n%.4000s", log)
		}
	})
	base := "http://127.0.0.1:" + strconv.Itoa(ports[0]) + "/v1.0"
	awaitHealthy(t, base+"/healthz")
	return base + "/invoke/order/method"
}

func awaitHealthy(t *testing.T, url string) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(30 * time.Millisecond) {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("dapr-api-token", apiToken)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			continue
		}
		_ = resp.Body.Close()
		if resp.StatusCode == http.StatusNoContent {
			return
		}
	}
	t.Fatal("daprd is not ready after a minute")
}

// lowPorts finds ports below the range that the system hands out by itself.
func lowPorts(t *testing.T, n int) []int {
	t.Helper()
	var ports []int
	var listen net.ListenConfig
	for port := 21000 + os.Getpid()%1000*10; len(ports) < n && port < 32768; port++ {
		l, err := listen.Listen(t.Context(), "tcp", "127.0.0.1:"+strconv.Itoa(port))
		if err != nil {
			continue
		}
		_ = l.Close()
		ports = append(ports, port)
	}
	if len(ports) < n {
		t.Fatal("no free ports below 32768")
	}
	return ports
}
