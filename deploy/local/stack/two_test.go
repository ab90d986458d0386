package stack

import (
	"slices"
	"strings"
	"testing"

	"github.com/caravan-shop/caravan/deploy/local/host"
)

// TestTwoOfEach: the second process of a service is the same app with the same rights, at ports of its own.
func TestTwoOfEach(t *testing.T) {
	p := testPlan(t)
	if got := len(p.instances()); got != len(Services()) {
		t.Fatalf("one of each: got %d processes", got)
	}
	p.second = &host.Block{Base: p.block.Base + 100}
	if got := len(p.instances()); got != 2*len(Services()) {
		t.Fatalf("two of each: got %d processes", got)
	}
	ports := map[int]string{}
	for _, instance := range append(p.instances(), edge) {
		for _, row := range []int{appPort, daprHTTPPort, daprGRPCPort, daprPeerPort, daprMetricsPort} {
			port := p.appPort(row, instance)
			if other, taken := ports[port]; taken {
				t.Errorf("%s and %s share port %d", instance, other, port)
			}
			ports[port] = instance
		}
	}
	// Nothing but ports and the process's name tells the two apart.
	same := func(first, second []string) {
		t.Helper()
		for _, entry := range second {
			key, _, _ := strings.Cut(entry, "=")
			if !slices.Contains(first, entry) && !strings.HasSuffix(key, "_PORT") && key != "CARAVAN_PROCESS" {
				t.Errorf("the second process differs in %s", key)
			}
		}
	}
	same(p.serviceEnv("order", false), p.serviceEnv("order-2", false))
	args := p.sidecarArgs("order-2")
	if at := slices.Index(args, "--app-id"); args[at+1] != "order" {
		t.Errorf("the second sidecar is %s", args[at+1])
	}
	units, err := p.units()
	if err != nil {
		t.Fatal(err)
	}
	last := units[len(units)-1]
	for _, name := range []string{"order-2", "daprd-order-2", "daprd-order"} {
		if !slices.Contains(last.After, name) {
			t.Errorf("the edge does not wait for %s", name)
		}
	}
}
