package stack

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/caravan-shop/caravan/deploy/local/servers"
	"github.com/caravan-shop/caravan/deploy/local/supervise"
)

// passed lists the settings that our programs take from the environment of the stack itself: waiting times, so that a
// test can shorten them, and what a developer tunes.
func passed() []string {
	return []string{
		"ACCESS_TTL", "REFRESH_TTL", "HOLD_TTL", "PAY_BY", "PAY_GRACE", "CHECKOUT_LEASE", "RESET_TTL", "CART_TTL", "REVOKED_POLL",
		"LOG_LEVEL", "SHOP_CURRENCY", "OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_TRACES_SAMPLER_ARG", "BODY_LIMIT",
	}
}

// environment is the whole environment of one of our own programs: what it needs to know, what the developer set, and
// nothing else of the shell's.
func (p *plan) environment(name string, own map[string]string) []string {
	all := map[string]string{"PATH": os.Getenv("PATH"), "HOME": p.Dir, "TMPDIR": os.TempDir(), "TZ": "UTC", "CARAVAN_PROCESS": name}
	for _, key := range passed() {
		if value, set := os.LookupEnv(key); set {
			all[key] = value
		}
	}
	for key, value := range own {
		all[key] = value
	}
	for key, value := range p.options.Env {
		all[key] = value
	}
	list := make([]string, 0, len(all))
	for key, value := range all {
		list = append(list, key+"="+value)
	}
	slices.Sort(list)
	return list
}

// serviceEnv is what a process of one of the six services is told.
func (p *plan) serviceEnv(instance string, migrating bool) []string {
	name := appOf(instance)
	own := map[string]string{
		"APP_ID":   name,
		"APP_PORT": strconv.Itoa(p.appPort(appPort, instance)), "APP_API_TOKEN": p.secrets.App[name],
		"DAPR_HTTP_PORT": strconv.Itoa(p.appPort(daprHTTPPort, instance)), "DAPR_GRPC_PORT": strconv.Itoa(p.appPort(daprGRPCPort, instance)),
		"DAPR_API_TOKEN": p.secrets.API[name], "SHOP_CURRENCY": "GBP", "LOG_LEVEL": "info", "SHOP_URL": p.edgeURL(),
		"MAIL_FROM": "Caravan <shop@caravan.example>",
	}
	for _, key := range []string{"SHOP_CURRENCY", "LOG_LEVEL"} {
		if value, set := os.LookupEnv(key); set {
			own[key] = value
		}
	}
	if isRelational(name) {
		if migrating {
			own["MIGRATION_DATABASE_URL"] = p.dsn(name, ownerRole(name))
		}
		own["DATABASE_URL"] = p.dsn(name, appRole(name))
	}
	if migrating && name == cart {
		own["MIGRATION_MONGO_URL"] = p.mongo.URL()
	}
	if p.options.Crashpoints {
		own["CARAVAN_CRASHPOINTS"] = p.crashpoints()
	}
	for key, value := range p.serversOf(name) {
		own[key] = value
	}
	return p.environment(instance, own)
}

func (p *plan) dsn(service, role string) string {
	return servers.PostgresDSN(role, p.secrets.Postgres[role], p.port(postgresPort), database(service))
}

// serversOf names the servers besides PostgreSQL that a service works with; it learns no other's address.
func (p *plan) serversOf(name string) map[string]string {
	switch name {
	case user:
		return map[string]string{"REDIS_URL": p.redis.URL(), "DEMO_ACCOUNTS": demoAccounts(p.secrets.Accounts)}
	case product:
		return map[string]string{"REDIS_URL": p.redis.URL(), "ELASTICSEARCH_URL": p.elastic.URL()}
	case cart:
		return map[string]string{"REDIS_URL": p.redis.URL(), "MONGO_URL": p.mongo.URL()}
	case notification:
		return map[string]string{"REDIS_URL": p.redis.URL(), "SMTP_ADDR": servers.Loopback(p.port(smtpPort))}
	case payment:
		if p.options.StripeKey == "" {
			return map[string]string{"STRIPE_API_BASE": "http://" + servers.Loopback(p.port(sandboxPort))}
		}
	}
	return nil
}

// writeEnvironments leaves each service's environment in a file of mode 0600, for a developer who runs one by hand and
// for `dapr run`.
func (p *plan) writeEnvironments() error {
	infra := []string{"SHOP_DAPRD=" + p.daprd(), "SHOP_SENTRY=" + servers.Loopback(p.port(sentryPort))}
	if err := replace(p.run("env", "infra.env"), []byte(shellLines(infra))); err != nil {
		return err
	}
	for _, name := range Services() {
		if err := replace(p.run("env", name+".env"), []byte(shellLines(p.serviceEnv(name, false)))); err != nil {
			return err
		}
		if err := replace(p.run("env", sidecarOf(name)+".env"), []byte(shellLines(p.sidecarEnv(name)))); err != nil {
			return err
		}
	}
	return nil
}

// shellLines quotes an environment so that a shell can source it.
func shellLines(environment []string) string {
	var text strings.Builder
	for _, entry := range environment {
		key, value, _ := strings.Cut(entry, "=")
		fmt.Fprintf(&text, "export %s='%s'\n", key, strings.ReplaceAll(value, "'", `'\''`))
	}
	return text.String()
}

// runTask runs a program to its end, its output in a log file.
func runTask(ctx context.Context, path string, args, environment []string, logFile string) error {
	log, err := os.OpenFile(logFile, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	defer func() { _ = log.Close() }()
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Env, cmd.Dir, cmd.Stdout, cmd.Stderr = environment, filepath.Dir(logFile), log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%s %s: %w; the end of its log:\n%s", filepath.Base(path), strings.Join(args, " "), err, supervise.Tail(logFile, 12))
	}
	return nil
}
