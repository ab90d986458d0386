package main

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/caravan-shop/caravan/services/internal/service"
)

func setenv(t *testing.T, more map[string]string) {
	env := map[string]string{
		"APP_PORT": "7001", "DAPR_HTTP_PORT": "7002", "DAPR_GRPC_PORT": "7003", "APP_API_TOKEN": "a", "DAPR_API_TOKEN": "b",
		"DATABASE_URL": "postgres://x", "REDIS_URL": "redis://127.0.0.1:6379/0",
	}
	maps.Copy(env, more)
	for name, value := range env {
		t.Setenv(name, value)
	}
}

func TestConfig(t *testing.T) {
	setenv(t, map[string]string{
		"ACCESS_TTL":          "3s",
		"SECOND_FACTOR_ROLES": "staff, admin",
		"DEMO_ACCOUNTS":       `[{"email":"a@example.com","password":"p1, p2","first_name":"A","last_name":"B","roles":["admin"]}]`,
	})
	cfg, err := service.Load[Config]()
	if err != nil {
		t.Fatal(err)
	}
	if cfg.AccessTTL != 3*time.Second || len(cfg.DemoAccounts) != 1 || cfg.DemoAccounts[0].Password != "p1, p2" {
		t.Errorf("got %+v", cfg)
	}
	if got := cfg.policy().FactorRoles; !slices.Equal(got, []string{"staff", "admin"}) {
		t.Errorf("roles that take a second factor: got %q", got)
	}
	if cfg.keyGrace() <= cfg.AccessTTL {
		t.Errorf("a replaced key is published for %v, tokens live %v", cfg.keyGrace(), cfg.AccessTTL)
	}
}

func TestConfigRefusesARoleThatIsNotKnown(t *testing.T) {
	setenv(t, map[string]string{"SECOND_FACTOR_ROLES": "staf"})
	if _, err := service.Load[Config](); err == nil {
		t.Error("got no error")
	}
}

func TestConfigErrorsKeepSecrets(t *testing.T) {
	setenv(t, map[string]string{"DEMO_ACCOUNTS": `[{"password":"hunter2"`})
	if _, err := service.Load[Config](); err == nil || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("got %v, want an error without the password", err)
	}
}
