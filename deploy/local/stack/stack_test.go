package stack

import (
	"encoding/json"
	"errors"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/go-cmp/cmp"

	"github.com/caravan-shop/caravan/deploy/local/host"
)

func testPlan(t *testing.T) *plan {
	t.Helper()
	dir := t.TempDir()
	secrets, err := loadSecrets(filepath.Join(dir, "secrets.json"))
	if err != nil {
		t.Fatal(err)
	}
	layout := Layout{Root: checkout(t), Dir: dir, block: &host.Block{Base: 21000, First: true}}
	return newPlan(layout, Options{}, software{}, secrets)
}

func TestPortsAreDistinctAndBelowTheEphemeralOnes(t *testing.T) {
	seen := map[int]bool{}
	for _, offset := range offsets() {
		if seen[offset] || offset >= 100 {
			t.Errorf("offset %d is used twice or leaves the block", offset)
		}
		seen[offset] = true
	}
}

func TestSecretsAreMadeOnceAndPrivate(t *testing.T) {
	path := filepath.Join(t.TempDir(), "secrets.json")
	first, err := loadSecrets(path)
	if err != nil {
		t.Fatal(err)
	}
	second, err := loadSecrets(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(first, second); diff != "" {
		t.Errorf("a second start has other secrets:\n%s", diff)
	}
	if info, _ := os.Stat(path); info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, want 0600", info.Mode().Perm())
	}
	if first.API[order] == first.API[payment] || first.App[order] == first.API[order] {
		t.Error("two tokens are equal")
	}
}

func TestIdentityTokensNameTheirApp(t *testing.T) {
	p := testPlan(t)
	now := time.Now()
	if err := writeIdentities(p.run("identity"), p.secrets.Identity, now); err != nil {
		t.Fatal(err)
	}
	token, err := os.ReadFile(p.run("identity", "order.jwt"))
	if err != nil {
		t.Fatal(err)
	}
	claims := jwt.MapClaims{}
	if _, _, err := jwt.NewParser().ParseUnverified(string(token), claims); err != nil {
		t.Fatal(err)
	}
	if claims["sub"] != "spiffe://public/ns/default/order" {
		t.Errorf("sub = %v", claims["sub"])
	}
}

// TestNoProcessLearnsMoreThanItNeeds looks for every secret in every environment.
func TestNoProcessLearnsMoreThanItNeeds(t *testing.T) {
	p := testPlan(t)
	for _, service := range Services() {
		environment := strings.Join(p.serviceEnv(service, false), "\n")
		for role, password := range p.secrets.Postgres {
			if strings.Contains(environment, password) && role != appRole(service) {
				t.Errorf("%s knows the password of %s", service, role)
			}
		}
		for app, token := range p.secrets.API {
			if strings.Contains(environment, token) != (app == service) {
				t.Errorf("API token of %s in the environment of %s", app, service)
			}
		}
		for name, value := range p.secrets.Dapr {
			if strings.Contains(environment, value) || strings.Contains(strings.Join(p.sidecarEnv(service), "\n"), value) {
				t.Errorf("%s is in an environment of %s; it belongs to the secret store", name, service)
			}
		}
	}
}

func TestShellLinesSurviveQuotes(t *testing.T) {
	got := shellLines([]string{`A=it's "so"`})
	if want := "export A='it'\\''s \"so\"'\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestUnitsComeAfterWhatTheyNeed(t *testing.T) {
	p := testPlan(t)
	p.postgres.Program = "/usr" // any folder that needs no copy
	units, err := p.units()
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, unit := range units {
		for _, before := range unit.After {
			if !slices.Contains(names, before) {
				t.Errorf("%s comes before %s", unit.Name, before)
			}
		}
		names = append(names, unit.Name)
	}
	for _, want := range append(Services(), "daprd-order", "daprd-edge", "edge", "sandbox", "mailbox", "topics", "databases") {
		if !slices.Contains(names, want) {
			t.Errorf("no unit %s in %v", want, names)
		}
	}
}

func TestSecondStackInOneFolderIsTurnedAway(t *testing.T) {
	dir := t.TempDir()
	unlock, err := hold(dir)
	if err != nil {
		t.Fatal(err)
	}
	var running *Running
	if _, err := hold(dir); !errors.As(err, &running) || running.PID != os.Getpid() {
		t.Errorf("second hold: %v, want a Running of this pid", err)
	}
	if got := RunningIn(dir); got != os.Getpid() {
		t.Errorf("RunningIn = %d", got)
	}
	unlock()
	if got := RunningIn(dir); got != 0 {
		t.Errorf("RunningIn after the end = %d", got)
	}
}

func TestTakenPortNamesItsHolder(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	port := listener.Addr().(*net.TCPAddr).Port
	if host.Free(t.Context(), port) {
		t.Error("a taken port counts as free")
	}
	if got := host.Holder(port); !strings.Contains(got, "stack.test") {
		t.Errorf("holder = %q, want this test", got)
	}
}

func TestDemoAccountsAreWhatStackFileNames(t *testing.T) {
	p := testPlan(t)
	var accounts []struct {
		Email string   `json:"email"`
		Roles []string `json:"roles"`
	}
	if err := json.Unmarshal([]byte(demoAccounts(p.secrets.Accounts)), &accounts); err != nil {
		t.Fatal(err)
	}
	for _, account := range accounts {
		if p.secrets.Accounts[account.Roles[0]].Email != account.Email {
			t.Errorf("%v is not in the secrets", account)
		}
	}
	if len(accounts) != 3 {
		t.Errorf("%d accounts, want 3", len(accounts))
	}
}
