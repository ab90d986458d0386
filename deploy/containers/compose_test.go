// Package containers holds what the images and docker-compose.yml are made of; there is no code but its checks.
package containers

import (
	"os"
	"slices"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"
)

// process is what the tests read of a service in docker-compose.yml.
type process struct {
	Image       string
	User        string
	ReadOnly    bool     `yaml:"read_only"`
	CapDrop     []string `yaml:"cap_drop"`
	NetworkMode string   `yaml:"network_mode"`
	Ports       []string
	Command     []string
	Environment map[string]string
	Healthcheck map[string]any
	Deploy      struct {
		Resources struct {
			Limits map[string]any
		}
	}
}

func processes(t *testing.T) map[string]process {
	t.Helper()
	content, err := os.ReadFile("../../docker-compose.yml")
	if err != nil {
		t.Fatal(err)
	}
	var doc struct{ Services map[string]process }
	if err := yaml.Unmarshal(content, &doc); err != nil {
		t.Fatal(err)
	}
	return doc.Services
}

func services() []string {
	return []string{"user", "product", "cart", "order", "payment", "notification"}
}

func TestOnlyTheEdgeIsPublished(t *testing.T) {
	for name, p := range processes(t) {
		if (len(p.Ports) > 0) != (name == "edge") {
			t.Errorf("%s publishes %v", name, p.Ports)
		}
		for _, port := range p.Ports {
			if !strings.HasPrefix(port, "127.0.0.1:") {
				t.Errorf("%s publishes %s beyond loopback", name, port)
			}
		}
	}
}

func TestProgramsAreConfined(t *testing.T) {
	all := processes(t)
	for name, p := range all {
		if len(p.Deploy.Resources.Limits) == 0 {
			t.Errorf("%s has no limits", name)
		}
		image, _, _ := strings.Cut(strings.TrimPrefix(p.Image, "${"), ":")
		ours := strings.HasPrefix(image, "caravan/") || strings.HasPrefix(image, "CARAVAN_IMAGE_DAPRD") || strings.HasPrefix(image, "CARAVAN_IMAGE_SENTRY")
		if ours && (!p.ReadOnly || p.User != "65532:65532" || !slices.Contains(p.CapDrop, "ALL")) {
			t.Errorf("%s: read-only %v, user %q, drops %v", name, p.ReadOnly, p.User, p.CapDrop)
		}
	}
	for _, name := range append(services(), "edge") {
		if len(all[name].Healthcheck) == 0 {
			t.Errorf("%s has no health check", name)
		}
		sidecar := all[name+"-sidecar"]
		if sidecar.NetworkMode != "service:"+name {
			t.Errorf("%s's sidecar is in %q", name, sidecar.NetworkMode)
		}
		if !slices.Contains(sidecar.Command, "--config=/dapr/config/"+name+".yaml") {
			t.Errorf("%s's sidecar goes without its access control: %v", name, sidecar.Command)
		}
	}
}

// TestNobodyKnowsAnothersDatabase: a program's environment names its own database and role alone.
func TestNobodyKnowsAnothersDatabase(t *testing.T) {
	for name, p := range processes(t) {
		if name == "postgres" || name == "mongo" {
			continue
		}
		owner, _, _ := strings.Cut(name, "-")
		for key, value := range p.Environment {
			for _, other := range services() {
				if other != owner && (strings.Contains(value, other+"_service_db") || strings.Contains(value, strings.ToUpper(other)+"_")) {
					t.Errorf("%s is told of %s in %s", name, other, key)
				}
			}
		}
	}
}

// TestTheSandboxKnowsItsName: it refuses whoever asks for another host than it was told.
func TestTheSandboxKnowsItsName(t *testing.T) {
	all := processes(t)
	name, base := all["sandbox"].Environment["SANDBOX_NAME"], all["payment"].Environment["STRIPE_API_BASE"]
	if base != "http://"+name+":12111" {
		t.Errorf("payment asks %q of a sandbox that is called %q", base, name)
	}
}
