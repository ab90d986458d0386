// Package carttest gives tests the servers that the cart service stands on: a
// sidecar with the state store component over a Mongo server, and Redis.
package carttest

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/uuid"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/caravan-shop/caravan/services/cart/internal/daprstate"
)

const token = "token-of-this-test-sidecar"

// need reads a variable that `make test` sets.
func need(tb testing.TB, name, what string) string {
	tb.Helper()
	v := os.Getenv(name)
	if v == "" {
		tb.Fatalf("%s is not set: it must give %s; `make test` starts all that the tests need", name, what)
	}
	return v
}

// App is the app id of the test's sidecar, and so the prefix of its keys.
const App = "cart"

// State is a sidecar's state store and, beside it, its collection.
type State struct {
	Store      *daprstate.Store
	Collection *daprstate.Collection
	Worklist   *daprstate.Worklist
	DB         *mongo.Database
}

// Open starts a sidecar whose state store has a database of its own, which is
// dropped after the test.
func Open(tb testing.TB) State {
	tb.Helper()
	mongoURL := need(tb, "CARAVAN_TEST_MONGO", "the URL of a MongoDB server")
	client, err := daprstate.Connect(mongoURL)
	if err != nil {
		tb.Fatal(err)
	}
	db := client.Database("cart_test_" + strings.ReplaceAll(uuid.NewString(), "-", ""))
	tb.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := db.Drop(ctx); err != nil {
			tb.Errorf("drop the test's database: %v", err)
		}
		_ = client.Disconnect(ctx)
	})
	if err := daprstate.Indexes(tb.Context(), db); err != nil {
		tb.Fatal(err)
	}
	states, hangUp, err := daprstate.Dial(startSidecar(tb, mongoURL, db.Name()), token)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(hangUp)
	s := State{DB: db, Collection: daprstate.NewCollection(db, App, time.Now)}
	s.Store = daprstate.New(states, s.Collection)
	s.Worklist = daprstate.NewWorklist(s.Store, s.Collection)
	return s
}

// RedisURL names a database of the test's Redis server. Packages are tested at
// the same time: each takes a number of its own.
func RedisURL(tb testing.TB, number int) string {
	tb.Helper()
	u, err := url.Parse(need(tb, "CARAVAN_TEST_REDIS", "the URL of a Redis server"))
	if err != nil {
		tb.Fatal(err)
	}
	u.Path = "/" + strconv.Itoa(number)
	return u.String()
}

func startSidecar(tb testing.TB, mongoURL, database string) (grpcAddress string) {
	tb.Helper()
	daprd := need(tb, "CARAVAN_TEST_DAPRD", "the path of a daprd binary")
	dir := tb.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "carts.yaml"), component(mongoURL, database), 0o600); err != nil {
		tb.Fatal(err)
	}
	ports := freePorts(tb, 3)
	log := &bytes.Buffer{}
	cmd := exec.CommandContext(tb.Context(), daprd, "--app-id", App, "--resources-path", dir,
		"--dapr-http-port", ports[0], "--dapr-grpc-port", ports[1], "--dapr-internal-grpc-port", ports[2],
		"--dapr-listen-addresses", "127.0.0.1", "--enable-metrics=false", "--log-level", "warn")
	cmd.Env = append(os.Environ(), "DAPR_API_TOKEN="+token)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		tb.Fatalf("start daprd: %v", err)
	}
	tb.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if tb.Failed() {
			tb.Logf("daprd said:\n%s", log)
		}
	})
	waitReady(tb, "http://127.0.0.1:"+ports[0]+"/v1.0/healthz/outbound")
	return "127.0.0.1:" + ports[1]
}

func component(mongoURL, database string) []byte {
	return fmt.Appendf(nil, `apiVersion: dapr.io/v1alpha1
kind: Component
metadata: { name: %s }
spec:
  type: state.mongodb
  version: v1
  metadata:
    - { name: connectionString, value: %q }
    - { name: databaseName, value: %s }
    - { name: collectionName, value: carts }
    - { name: writeConcern, value: majority }
    - { name: readConcern, value: majority }
    - { name: operationTimeout, value: 5s }
    - { name: keyPrefix, value: appid }
`, daprstate.Component, mongoURL, database)
}

func waitReady(tb testing.TB, url string) {
	tb.Helper()
	for deadline := time.Now().Add(60 * time.Second); time.Now().Before(deadline); time.Sleep(30 * time.Millisecond) {
		req, err := http.NewRequestWithContext(tb.Context(), http.MethodGet, url, nil)
		if err != nil {
			tb.Fatal(err)
		}
		req.Header.Set("dapr-api-token", token)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			continue
		}
		_ = resp.Body.Close()
		if resp.StatusCode == http.StatusNoContent {
			return
		}
	}
	tb.Fatal("daprd is not ready after a minute")
}

// freePorts finds ports below the range that the system hands out by itself.
func freePorts(tb testing.TB, n int) []string {
	tb.Helper()
	var ports []string
	var listen net.ListenConfig
	start := 20000 + os.Getpid()%1000*10
	for port := start; len(ports) < n && port < 32768; port++ {
		l, err := listen.Listen(tb.Context(), "tcp", "127.0.0.1:"+strconv.Itoa(port))
		if err != nil {
			continue
		}
		_ = l.Close()
		ports = append(ports, strconv.Itoa(port))
	}
	if len(ports) < n {
		tb.Fatal("no free ports below 32768")
	}
	return ports
}
