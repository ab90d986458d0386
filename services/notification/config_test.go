package main

import (
	"testing"
	"time"

	"github.com/caravan-shop/caravan/services/internal/service"
)

func environment(t *testing.T, more map[string]string) {
	t.Helper()
	for k, v := range map[string]string{
		"APP_PORT": "3400", "DAPR_HTTP_PORT": "3501", "DAPR_GRPC_PORT": "3502", "APP_API_TOKEN": "a", "DAPR_API_TOKEN": "b",
		"REDIS_URL": "redis://127.0.0.1:6379/0", "SMTP_ADDR": "127.0.0.1:1025",
	} {
		t.Setenv(k, v)
	}
	for k, v := range more {
		t.Setenv(k, v)
	}
}

func TestConfigDefaultsAreSound(t *testing.T) {
	environment(t, nil)
	cfg, err := service.Load[config]()
	if err != nil {
		t.Fatal(err)
	}
	if err := cfg.check(); err != nil {
		t.Error(err)
	}
	// The sidecar delivers an event again after 15 s: by then its handler must have ended.
	if got := cfg.WorkTimeout + cfg.SettleTimeout; got >= 15*time.Second {
		t.Errorf("a handler may take %v", got)
	}
}

func TestConfigRefusals(t *testing.T) {
	for name, more := range map[string]map[string]string{
		"a lease shorter than the work": {"MAIL_LEASE": "5s"},
		"unknown security":              {"SMTP_SECURITY": "some"},
		"no sender":                     {"SMTP_SENDERS": "0"},
	} {
		t.Run(name, func(t *testing.T) {
			environment(t, more)
			cfg, err := service.Load[config]()
			if err != nil {
				t.Fatal(err)
			}
			if err := cfg.check(); err == nil {
				t.Errorf("%v was accepted", more)
			}
		})
	}
}
