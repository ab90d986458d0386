package stack

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"

	"github.com/google/go-cmp/cmp"

	"github.com/caravan-shop/caravan/deploy/local/host"
)

// component is the part of a Dapr component that the tests read.
type component struct {
	Spec struct {
		Metadata []struct{ Name, Value string } `yaml:"metadata"`
	} `yaml:"spec"`
}

func checkout(t *testing.T, parts ...string) string {
	t.Helper()
	root, err := FindRoot(".")
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Join(append([]string{root}, parts...)...)
}

func readYAML(t *testing.T, v any, parts ...string) {
	t.Helper()
	content, err := os.ReadFile(checkout(t, parts...))
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(content, v); err != nil {
		t.Fatal(err)
	}
}

func pubsubSetting(t *testing.T, name string) string {
	t.Helper()
	var c component
	readYAML(t, &c, "components", "pubsub.yaml")
	for _, entry := range c.Spec.Metadata {
		if entry.Name == name {
			return entry.Value
		}
	}
	t.Fatalf("pubsub.yaml has no %s", name)
	return ""
}

// scopes parses "app=topic,topic;app=…".
func scopes(text string) map[string][]string {
	all := map[string][]string{}
	for _, part := range strings.Split(text, ";") {
		app, list, _ := strings.Cut(part, "=")
		all[app] = nil
		if list != "" {
			all[app] = strings.Split(list, ",")
			slices.Sort(all[app])
		}
	}
	return all
}

func TestPubsubKnowsEveryTopicOfTheStack(t *testing.T) {
	got, want := strings.Split(pubsubSetting(t, "allowedTopics"), ","), allTopics()
	slices.Sort(got)
	slices.Sort(want)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("allowedTopics (-want +got):\n%s", diff)
	}
}

func TestScopesNameEveryApp(t *testing.T) {
	publishing, subscribing := scopes(pubsubSetting(t, "publishingScopes")), scopes(pubsubSetting(t, "subscriptionScopes"))
	for _, app := range Services() {
		topics, named := publishing[app]
		if !named || !slices.Contains(topics, "dead-letter."+app) {
			t.Errorf("%s may not publish to its own dead-letter topic: a poison message would block its partition", app)
		}
		declared, err := declaredTopics(checkout(t, "dapr", "subscriptions", app+".yaml"))
		if err != nil {
			t.Fatal(err)
		}
		if live, named := subscribing[app]; !named || !slices.Equal(live, declared) {
			t.Errorf("%s: scopes allow %v, subscriptions declare %v", app, live, declared)
		}
	}
}

func TestTopicsHaveOneProducer(t *testing.T) {
	producers := map[string]string{}
	for app, list := range scopes(pubsubSetting(t, "publishingScopes")) {
		for _, topic := range list {
			if other, taken := producers[topic]; taken {
				t.Errorf("%s is published by %s and %s", topic, other, app)
			}
			producers[topic] = app
		}
	}
	for _, topic := range topics() {
		if producers[topic] == "" {
			t.Errorf("nobody may publish %s", topic)
		}
	}
}

func TestRunTemplateHasTheFirstStacksPorts(t *testing.T) {
	var template struct {
		Apps []struct {
			AppID                string `yaml:"appID"`
			AppPort              int    `yaml:"appPort"`
			DaprHTTPPort         int    `yaml:"daprHTTPPort"`
			DaprGRPCPort         int    `yaml:"daprGRPCPort"`
			DaprInternalGRPCPort int    `yaml:"daprInternalGRPCPort"`
			MetricsPort          int    `yaml:"metricsPort"`
		} `yaml:"apps"`
	}
	readYAML(t, &template, "dapr", "dapr.yaml")
	layout := Layout{block: &host.Block{Base: 21000, First: true}}
	if len(template.Apps) != len(Services()) {
		t.Fatalf("%d apps in dapr.yaml, want %d", len(template.Apps), len(Services()))
	}
	for _, app := range template.Apps {
		got := []int{app.AppPort, app.DaprHTTPPort, app.DaprGRPCPort, app.DaprInternalGRPCPort, app.MetricsPort}
		var want []int
		for _, row := range []int{appPort, daprHTTPPort, daprGRPCPort, daprPeerPort, daprMetricsPort} {
			want = append(want, layout.appPort(row, app.AppID))
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("ports of %s (-want +got):\n%s", app.AppID, diff)
		}
	}
}

// TestAccessControlIsWhatTheContractGrants holds each callee's file against the table of routes between services.
func TestAccessControlIsWhatTheContractGrants(t *testing.T) {
	five := []string{product, cart, order, payment, notification}
	grants := map[string]map[string][]string{
		product: {
			"/internal/products/lookup": {cart, order, payment, notification, user},
			"/internal/holds/place":     {order}, "/internal/holds/release": {order}, "/internal/export": {user},
		},
		cart: {"/internal/carts/read": {order}, "/internal/carts/take": {order}, "/internal/carts/restore": {order}, "/internal/export": {user}},
		user: {
			"/internal/addresses/lookup": {order}, "/internal/contacts": {notification}, "/internal/password-resets/token": {notification},
			"/internal/email-verifications/token": {notification}, "/internal/email-changes/former": {notification}, "/internal/sessions/revoked": five, "/.well-known/jwks.json": five,
		},
		payment: {"/internal/payments/prepare": {order}, "/internal/payments/close": {order}, "/internal/export": {user}},
		order: {
			"/internal/orders/states": {product, notification, payment}, "/internal/purchases/verify": {product}, "/internal/export": {user},
		},
		notification: {},
	}
	for callee, routes := range grants {
		want := []string{"edge /.well-known/** GET", "edge /v1/** *"}
		for route, callers := range routes {
			verb := "POST"
			if strings.HasPrefix(route, "/.well-known/") {
				verb = "GET"
			}
			for _, caller := range callers {
				want = append(want, caller+" "+route+" "+verb)
			}
		}
		slices.Sort(want)
		if diff := cmp.Diff(want, granted(t, callee)); diff != "" {
			t.Errorf("access to %s (-want +got):\n%s", callee, diff)
		}
	}
}

func granted(t *testing.T, callee string) []string {
	t.Helper()
	var c struct {
		Spec struct {
			AccessControl struct {
				DefaultAction string `yaml:"defaultAction"`
				Policies      []struct {
					AppID         string `yaml:"appId"`
					DefaultAction string `yaml:"defaultAction"`
					Operations    []struct {
						Name     string   `yaml:"name"`
						HTTPVerb []string `yaml:"httpVerb"`
						Action   string   `yaml:"action"`
					} `yaml:"operations"`
				} `yaml:"policies"`
			} `yaml:"accessControl"`
		} `yaml:"spec"`
	}
	readYAML(t, &c, "dapr", "config", callee+".yaml")
	control := c.Spec.AccessControl
	if control.DefaultAction != "deny" {
		t.Errorf("%s: default action is %q", callee, control.DefaultAction)
	}
	var list []string
	for _, policy := range control.Policies {
		if policy.DefaultAction != "deny" {
			t.Errorf("%s: default action for %s is %q", callee, policy.AppID, policy.DefaultAction)
		}
		for _, operation := range policy.Operations {
			if operation.Action == "allow" {
				list = append(list, fmt.Sprintf("%s %s %s", policy.AppID, operation.Name, strings.Join(operation.HTTPVerb, ",")))
			}
		}
	}
	slices.Sort(list)
	return list
}

// TestEventsWaitWithoutEnd: an exponential policy ends after fifteen minutes, whatever its retries.
func TestEventsWaitWithoutEnd(t *testing.T) {
	var r struct {
		Spec struct {
			Policies struct {
				Retries map[string]struct {
					Policy     string
					MaxRetries int `yaml:"maxRetries"`
				}
			}
			Targets struct {
				Components map[string]struct{ Inbound struct{ Retry string } }
			}
		}
	}
	readYAML(t, &r, "dapr", "resiliency", "services.yaml")
	name := r.Spec.Targets.Components["pubsub"].Inbound.Retry
	policy, found := r.Spec.Policies.Retries[name]
	if !found || policy.Policy != "constant" || policy.MaxRetries != -1 {
		t.Errorf("events are retried by %q: %+v (found: %t), want a constant policy without end", name, policy, found)
	}
	// After a retry of the runtime that ended, the component would go on with the next event.
	if got := pubsubSetting(t, "backOffMaxRetries"); got != "-1" {
		t.Errorf("the component gives an event up after %s retries", got)
	}
}

// TestSidecarsDoNotAskForSubscriptions: one whose app died over the question would stay without any.
func TestSidecarsDoNotAskForSubscriptions(t *testing.T) {
	p := testPlan(t)
	for _, service := range Services() {
		args := strings.Join(p.sidecarArgs(service), " ")
		if !strings.Contains(args, "--disable-init-endpoints config,subscribe") {
			t.Errorf("the sidecar of %s: %s", service, args)
		}
	}
}
