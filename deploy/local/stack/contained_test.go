package stack

import (
	"context"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/caravan-shop/caravan/deploy/local/supervise"
)

// TestImagesAreThoseOfCompose: both ways into containers start from the same images and can be told others the same way.
func TestImagesAreThoseOfCompose(t *testing.T) {
	content, err := os.ReadFile(checkout(t, "docker-compose.yml"))
	if err != nil {
		t.Fatal(err)
	}
	compose := map[string]string{}
	for _, match := range regexp.MustCompile(`\$\{CARAVAN_IMAGE_([A-Z]+):-([^}]+)\}`).FindAllStringSubmatch(string(content), -1) {
		compose[strings.ToLower(match[1])] = match[2]
	}
	for _, match := range regexp.MustCompile(`image: (caravan/([a-z]+):)\$\{CARAVAN_TAG:-(.+)\}`).FindAllStringSubmatch(string(content), -1) {
		compose[match[2]] = match[1] + match[3]
	}
	if diff := cmp.Diff(compose, Images()); diff != "" {
		t.Errorf("images (-docker-compose.yml +teststack):\n%s", diff)
	}
}

func TestImagesFromTheEnvironment(t *testing.T) {
	t.Setenv("CARAVAN_IMAGE_POSTGRES", "mirror/postgres:16")
	t.Setenv("CARAVAN_IMAGE_KAFKA", "native")
	t.Setenv("CARAVAN_TAG", "test")
	got := Images()
	if _, contained := got["kafka"]; contained || got["postgres"] != "mirror/postgres:16" || got["order"] != "caravan/order:test" {
		t.Errorf("got %v", got)
	}
}

// containers starts every process of a plan on paper.
func containers(t *testing.T, images map[string]string) map[string]Container {
	t.Helper()
	native := testPlan(t)
	all := map[string]Container{}
	launch := func(_ context.Context, c Container, _ *os.File) (supervise.Body, error) {
		all[c.Name] = c
		return nil, nil
	}
	p := newPlan(native.Layout, Options{Images: images, Launch: launch, Crashpoints: true}, software{}, native.secrets)
	units, err := p.units()
	if err != nil {
		t.Fatal(err)
	}
	for _, u := range units {
		switch {
		case u.Process == nil:
		case u.Process.Launch == nil:
			if p.imageOf(u.Name) != "" {
				t.Errorf("%s runs natively", u.Name)
			}
		default:
			if u.Process.Ready == nil {
				t.Errorf("nobody asks whether %s is ready", u.Name)
			}
			if _, err := u.Process.Launch(t.Context(), u.Process.Env, nil); err != nil {
				t.Error(err)
			}
		}
	}
	return all
}

func TestEveryProcessInAContainer(t *testing.T) {
	all := containers(t, Images())
	if got := len(all); got != 5+3+6+7+1 {
		t.Errorf("%d containers: %v", got, slices.Sorted(maps.Keys(all)))
	}
	order, sidecar := all["order"], all["daprd-order"]
	if order.User != "" || len(order.Reads) != 0 || !order.Confined || len(order.Writes) != 1 {
		t.Errorf("order runs as %q, reads %v, writes %v", order.User, order.Reads, order.Writes)
	}
	if sidecar.Image != "caravan/daprd:dev" || sidecar.Entrypoint[0] != "/daprd" || !slices.Contains(sidecar.Args, "order") {
		t.Errorf("the sidecar is %+v", sidecar)
	}
	// A private file is mounted for the one sidecar that it belongs to.
	for name, c := range all {
		for _, path := range c.Reads {
			if app, found := strings.CutPrefix(name, "daprd-"); found && (strings.Contains(path, "/identity/") || strings.Contains(path, "/secrets/")) && !strings.Contains(path, "/"+app+".j") {
				t.Errorf("%s reads %s", name, path)
			}
		}
	}
}

func TestSomeNatively(t *testing.T) {
	images := Images()
	delete(images, "kafka")
	all := containers(t, images)
	if _, contained := all["kafka"]; contained || len(all) != 21 {
		t.Errorf("%d containers: %v", len(all), slices.Sorted(maps.Keys(all)))
	}
}

func TestKafkaEnv(t *testing.T) {
	got := kafkaEnv("# a comment=1\nnode.id=1\n\nlisteners=PLAINTEXT://127.0.0.1:1,CONTROLLER://127.0.0.1:2\n")
	want := []string{"KAFKA_NODE_ID=1", "KAFKA_LISTENERS=PLAINTEXT://127.0.0.1:1,CONTROLLER://127.0.0.1:2"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("environment (-want +got):\n%s", diff)
	}
}
