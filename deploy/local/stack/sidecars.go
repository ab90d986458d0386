package stack

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/caravan-shop/caravan/deploy/local/servers"
	"github.com/caravan-shop/caravan/deploy/local/supervise"
)

func (p *plan) dapr(parts ...string) string {
	return filepath.Join(append([]string{p.Root, "dapr"}, parts...)...)
}

func (p *plan) daprd() string { return filepath.Join(p.software.dapr, "daprd") }

func (p *plan) certificates() string { return p.run("certs") }

// sentry issues the certificates of all sidecars. It makes its own authority on the first start.
func (p *plan) sentry() *supervise.Process {
	return &supervise.Process{
		Path: filepath.Join(p.software.dapr, "sentry"), Dir: p.Dir,
		Env: []string{"SHOP_IDENTITY_KEYS=" + p.run("identity", "jwks.json"), "HOME=" + p.Dir},
		Args: []string{
			"--issuer-credentials", p.certificates(), "--trust-domain", "localhost", "--config", p.dapr("sentry.yaml"),
			"--port", strconv.Itoa(p.port(sentryPort)), "--listen-address", "127.0.0.1",
			"--healthz-port", strconv.Itoa(p.port(sentryHealth)), "--healthz-listen-address", "127.0.0.1",
			"--metrics-port", strconv.Itoa(p.port(sentryMetrics)), "--metrics-listen-address", "127.0.0.1",
		},
		Ready: servers.Answers("http://"+servers.Loopback(p.port(sentryHealth))+"/healthz", http.StatusOK, http.StatusNoContent),
	}
}

// sidecar describes the daprd of an app. The service's sidecars come after Kafka's topics and go before Kafka: daprd dies
// without the broker at its start, and may hang without it at its end.
func (p *plan) sidecar(instance string) supervise.Unit {
	app := appOf(instance)
	after := []string{"sentry"}
	if app != edge {
		after = append(after, "topics", "mongo")
	}
	return supervise.Unit{Name: sidecarOf(instance), After: after, Process: share(sidecarOf(instance), &supervise.Process{
		Path: p.daprd(), Args: p.sidecarArgs(instance), Env: p.sidecarEnv(app), LateEnv: p.trustAnchors,
		Dir: p.Dir, Ready: servers.Answers("http://"+servers.Loopback(p.appPort(daprHTTPPort, instance))+"/v1.0/healthz", http.StatusNoContent),
		ReadyWithin: 2 * time.Minute, StopWithin: 15 * time.Second,
	})}
}

// mailFetch is how many bytes of events a fetch for mails waits for; components/pubsub.yaml tells why.
const mailFetch = "65536"

// importBody is for the two sidecars that a product import passes through.
const importBody = "4Gi"

func (p *plan) sidecarArgs(instance string) []string {
	app := appOf(instance)
	port := func(row int) string { return strconv.Itoa(p.appPort(row, instance)) }
	args := []string{
		"--app-id", app, "--config", p.dapr("config", "common.yaml"), "--config", p.dapr("config", app+".yaml"),
		"--resources-path", p.dapr("resiliency"), "--log-level", "info",
		"--dapr-http-port", port(daprHTTPPort), "--dapr-grpc-port", port(daprGRPCPort), "--dapr-listen-addresses", "127.0.0.1",
		"--dapr-internal-grpc-port", port(daprPeerPort), "--dapr-internal-grpc-listen-address", "127.0.0.1",
		"--metrics-port", port(daprMetricsPort), "--metrics-listen-address", "127.0.0.1",
		"--enable-mtls", "--sentry-address", servers.Loopback(p.port(sentryPort)),
		"--control-plane-trust-domain", "localhost", "--control-plane-namespace", "default",
		"--read-buffer-size", "32Ki", "--dapr-graceful-shutdown-seconds", "5",
	}
	if app == edge || app == product {
		args = append(args, "--max-body-size", importBody)
	}
	if app == edge {
		return args
	}
	// The app is not asked what it subscribes to: one that dies over the question would leave the sidecar without subscriptions.
	return append(args, "--app-port", port(appPort), "--app-protocol", "http", "--app-channel-address", "127.0.0.1",
		"--disable-init-endpoints", "config,subscribe",
		"--resources-path", filepath.Join(p.Root, "components"), "--resources-path", p.dapr("subscriptions"))
}

func (p *plan) sidecarEnv(app string) []string {
	sampling := "0.0001" // each request gets a trace id, hardly any is recorded
	if os.Getenv("OTEL_EXPORTER_OTLP_ENDPOINT") != "" {
		sampling = "1"
	}
	list := []string{
		"NAMESPACE=default", "DAPR_HOST_IP=127.0.0.1", "HOME=" + p.Dir, "PATH=" + os.Getenv("PATH"),
		"DAPR_API_TOKEN=" + p.secrets.API[app], "DAPR_SENTRY_TOKEN_FILE=" + p.run("identity", app+".jwt"),
		"SHOP_NAMES_DB=" + p.run("names", "names.db"), "SHOP_TRACE_SAMPLING=" + sampling,
	}
	if app == edge {
		return list
	}
	list = append(list, "APP_API_TOKEN="+p.secrets.App[app], "SHOP_KAFKA_BROKERS="+p.kafka.Address())
	if _, private := secretsOf()[app]; private {
		list = append(list, "SHOP_SECRETS_FILE="+p.run("secrets", app+".json"))
	}
	if app == cart {
		list = append(list, "SHOP_CARTS_URL="+p.mongo.URL())
	}
	if app == notification {
		list = append(list, "SHOP_FETCH_MIN="+mailFetch)
	}
	return list
}

// trustAnchors is read when a sidecar starts: sentry has made its authority by then.
func (p *plan) trustAnchors() ([]string, error) {
	root, err := os.ReadFile(filepath.Join(p.certificates(), "ca.crt"))
	if err != nil {
		return nil, fmt.Errorf("sentry's root certificate: %w", err)
	}
	return []string{"DAPR_TRUST_ANCHORS=" + string(root)}, nil
}

// secretsOf says which names each app's secret store holds.
func secretsOf() map[string][]string {
	return map[string][]string{
		user:    {"user-signing-key-kek", "user-token-hmac"},
		payment: {"payment-stripe-api-key", "payment-stripe-webhook-secret"},
	}
}

// writeSidecarFiles leaves what sentry and the sidecars read at their start.
func (p *plan) writeSidecarFiles(now time.Time) error {
	for _, dir := range []string{p.run("names"), p.certificates()} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return err
		}
	}
	if err := writeIdentities(p.run("identity"), p.secrets.Identity, now); err != nil {
		return fmt.Errorf("identity tokens: %w", err)
	}
	for app, names := range secretsOf() {
		file := map[string]string{}
		for _, name := range names {
			file[name] = p.secrets.Dapr[name]
		}
		if app == payment && p.options.StripeKey != "" {
			file["payment-stripe-api-key"], file["payment-stripe-webhook-secret"] = p.options.StripeKey, p.options.StripeWebhookSecret
		}
		if err := writeJSON(p.run("secrets", app+".json"), file); err != nil {
			return err
		}
	}
	// Rows of sidecars that are gone would only delay the lookup of those that come.
	for _, suffix := range []string{"", "-wal", "-shm"} {
		if err := os.Remove(p.run("names", "names.db"+suffix)); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	return nil
}
