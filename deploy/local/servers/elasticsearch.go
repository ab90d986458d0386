package servers

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/caravan-shop/caravan/deploy/local/provision"
	"github.com/caravan-shop/caravan/deploy/local/supervise"
)

// Elasticsearch is a single node.
type Elasticsearch struct {
	Java          provision.JavaServer
	Recipe        string // the folder with log4j2.properties
	Home          string // configuration and data
	Port          int
	TransportPort int
	JVM           []string // further JVM options
}

// URL is how a client connects.
func (e Elasticsearch) URL() string { return "http://" + Loopback(e.Port) }

// Process describes the node.
func (e Elasticsearch) Process() *supervise.Process {
	args := []string{"-Xms512m", "-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-XX:+ExitOnOutOfMemoryError",
		"-Djava.awt.headless=true", "-Dlog4j2.disable.jmx=true", "-Dio.netty.noUnsafe=true", "-Dio.netty.allocator.numDirectArenas=0",
		"-Des.plugins=local.ShimPlugin,local.ByQueryPlugin"}
	args = append(append(args, e.Java.Options()...), e.JVM...)
	args = append(args, "-cp", e.Java.ClassPath, "local.EsMain", e.Home,
		fmt.Sprintf("http.port=%d", e.Port), fmt.Sprintf("transport.port=%d", e.TransportPort))
	return &supervise.Process{
		Path: "java", Args: args, Env: basics(), Dir: filepath.Dir(e.Home),
		Prepare: e.prepare, Ready: e.Ready, ReadyWithin: 3 * time.Minute, StopWithin: 20 * time.Second,
	}
}

func (e Elasticsearch) prepare(context.Context) error {
	config := filepath.Join(e.Home, "config")
	if err := os.MkdirAll(config, 0o700); err != nil {
		return err
	}
	logging, err := os.ReadFile(filepath.Join(e.Recipe, "log4j2.properties"))
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(config, "log4j2.properties"), logging, 0o600)
}

// Ready waits for the shards: the node answers well before it can search.
func (e Elasticsearch) Ready(ctx context.Context) error {
	return Answers(e.URL()+"/_cluster/health?wait_for_status=yellow&timeout=2s", http.StatusOK)(ctx)
}

// Answers probes whether a GET gives one of the wanted statuses.
func Answers(url string, wanted ...int) func(context.Context) error {
	return func(ctx context.Context) error {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			return err
		}
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			return err
		}
		_ = response.Body.Close()
		for _, status := range wanted {
			if response.StatusCode == status {
				return nil
			}
		}
		return fmt.Errorf("%s answers %s", url, response.Status)
	}
}
