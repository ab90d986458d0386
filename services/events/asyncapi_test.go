package events_test

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"gopkg.in/yaml.v3"

	"github.com/caravan-shop/caravan/services/events"
)

// document is what the tests read of asyncapi.yaml.
type document struct {
	AsyncAPI string `yaml:"asyncapi"`
	Channels map[string]struct {
		Address  string         `yaml:"address"`
		Messages map[string]ref `yaml:"messages"`
	} `yaml:"channels"`
	Operations map[string]struct {
		Action  string `yaml:"action"`
		Channel ref    `yaml:"channel"`
		App     string `yaml:"x-app"`
	} `yaml:"operations"`
	Components struct {
		Messages map[string]struct {
			Name    string `yaml:"name"`
			Payload struct {
				AllOf []struct {
					Properties map[string]struct {
						Const string `yaml:"const"`
						Ref   string `yaml:"$ref"`
					} `yaml:"properties"`
				} `yaml:"allOf"`
			} `yaml:"payload"`
		} `yaml:"messages"`
	} `yaml:"components"`
}

type ref struct {
	Ref string `yaml:"$ref"`
}

const deadLetter = "dead-letter."

func asyncapi(t *testing.T) document {
	t.Helper()
	var d document
	if err := yaml.Unmarshal(read(t, "asyncapi.yaml"), &d); err != nil {
		t.Fatal(err)
	}
	return d
}

// flow is who sends what, and who receives what.
type flow struct{ Sends, Receives map[string][]string }

func newFlow() flow { return flow{map[string][]string{}, map[string][]string{}} }

func (f flow) sorted() flow {
	for _, m := range []map[string][]string{f.Sends, f.Receives} {
		for app := range m {
			slices.Sort(m[app])
		}
	}
	return f
}

func (d document) flow() flow {
	f := newFlow()
	for _, op := range d.Operations {
		topic := strings.TrimPrefix(op.Channel.Ref, "#/channels/")
		switch op.Action {
		case "send":
			f.Sends[op.App] = append(f.Sends[op.App], topic)
		case "receive":
			f.Receives[op.App] = append(f.Receives[op.App], topic)
		}
	}
	return f.sorted()
}

func TestAsyncAPIHasEveryTopic(t *testing.T) {
	d := asyncapi(t)
	if d.AsyncAPI != "3.0.0" {
		t.Errorf("version %q, want 3.0.0", d.AsyncAPI)
	}
	want := events.Topics()
	for app := range d.flow().Receives {
		want = append(want, deadLetter+app)
	}
	slices.Sort(want)
	if diff := cmp.Diff(want, slices.Sorted(maps.Keys(d.Channels))); diff != "" {
		t.Errorf("channels differ (-want +got):\n%s", diff)
	}
	for name, c := range d.Channels {
		if c.Address != name {
			t.Errorf("channel %s has address %s", name, c.Address)
		}
	}
}

func TestAsyncAPIMessagesAreOfTheSchemas(t *testing.T) {
	d := asyncapi(t)
	f := d.flow()
	sender := map[string]string{}
	for app, topics := range f.Sends {
		for _, topic := range topics {
			sender[topic] = app
		}
	}
	for _, topic := range events.Topics() {
		messages := d.Channels[topic].Messages
		if len(messages) != 1 {
			t.Errorf("channel %s has %d messages, want 1", topic, len(messages))
		}
		for _, m := range messages {
			message := d.Components.Messages[strings.TrimPrefix(m.Ref, "#/components/messages/")]
			if message.Name != topic || len(message.Payload.AllOf) != 2 {
				t.Errorf("message of %s: %+v", topic, message)
				continue
			}
			p := message.Payload.AllOf[1].Properties
			got := []string{p["type"].Const, p["source"].Const, p["data"].Ref}
			if diff := cmp.Diff([]string{topic, sender[topic], "./schemas/" + topic + ".json"}, got); diff != "" {
				t.Errorf("message of %s (-want +got):\n%s", topic, diff)
			}
		}
	}
	if len(d.Components.Messages) != len(events.Topics()) {
		t.Errorf("%d messages for %d topics", len(d.Components.Messages), len(events.Topics()))
	}
}

func TestDeadLettersHoldWhatTheirAppReceives(t *testing.T) {
	d := asyncapi(t)
	f := d.flow()
	for app, topics := range f.Receives {
		var got []string
		for _, m := range d.Channels[deadLetter+app].Messages {
			got = append(got, d.Components.Messages[strings.TrimPrefix(m.Ref, "#/components/messages/")].Name)
		}
		slices.Sort(got)
		if diff := cmp.Diff(topics, got); diff != "" {
			t.Errorf("dead letters of %s (-want +got):\n%s", app, diff)
		}
		if !slices.Contains(f.Sends[app], deadLetter+app) {
			t.Errorf("%s does not send to its dead letters", app)
		}
	}
}

// TestAsyncAPIRefsResolve follows every $ref, in this document or to a file.
func TestAsyncAPIRefsResolve(t *testing.T) {
	var root any
	if err := yaml.Unmarshal(read(t, "asyncapi.yaml"), &root); err != nil {
		t.Fatal(err)
	}
	var walk func(v any)
	walk = func(v any) {
		switch v := v.(type) {
		case []any:
			for _, member := range v {
				walk(member)
			}
		case map[string]any:
			if target, ok := v["$ref"].(string); ok && !resolves(root, target) {
				t.Errorf("%s leads nowhere", target)
			}
			for _, member := range v {
				walk(member)
			}
		}
	}
	walk(root)
}

func resolves(root any, target string) bool {
	path, local := strings.CutPrefix(target, "#/")
	if !local {
		_, err := os.Stat(target)
		return err == nil
	}
	at := root
	for part := range strings.SplitSeq(path, "/") {
		m, ok := at.(map[string]any)
		if !ok {
			return false
		}
		if at, ok = m[part]; !ok {
			return false
		}
	}
	return true
}

// TestAsyncAPIIsWhatDaprIsTold holds the document against the subscriptions and
// the scopes of the pub/sub component.
func TestAsyncAPIIsWhatDaprIsTold(t *testing.T) {
	got := asyncapi(t).flow()
	told := newFlow()
	files, err := filepath.Glob("../../dapr/subscriptions/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no subscriptions found: %v", err)
	}
	for _, file := range files {
		for _, s := range subscriptions(t, file) {
			for _, app := range s.Scopes {
				told.Receives[app] = append(told.Receives[app], s.Spec.Topic)
				if want := deadLetter + app; s.Spec.DeadLetterTopic != want {
					t.Errorf("%s: %s of %s goes to %q, want %q", file, s.Spec.Topic, app, s.Spec.DeadLetterTopic, want)
				}
			}
		}
	}
	for app, topics := range publishingScopes(t) {
		if _, consumes := told.Receives[app]; !consumes {
			topics = slices.DeleteFunc(topics, func(topic string) bool { return strings.HasPrefix(topic, deadLetter) })
		}
		if len(topics) > 0 {
			told.Sends[app] = topics
		}
	}
	if diff := cmp.Diff(told.sorted(), got); diff != "" {
		t.Errorf("asyncapi.yaml differs from Dapr's declarations (-dapr +asyncapi):\n%s", diff)
	}
}

type subscription struct {
	Spec struct {
		Topic           string `yaml:"topic"`
		DeadLetterTopic string `yaml:"deadLetterTopic"`
	} `yaml:"spec"`
	Scopes []string `yaml:"scopes"`
}

func subscriptions(t *testing.T, file string) []subscription {
	t.Helper()
	var all []subscription
	for doc := range strings.SplitSeq(string(read(t, file)), "\n---\n") {
		var s subscription
		if err := yaml.Unmarshal([]byte(doc), &s); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		if s.Spec.Topic != "" {
			all = append(all, s)
		}
	}
	return all
}

func publishingScopes(t *testing.T) map[string][]string {
	t.Helper()
	var component struct {
		Spec struct {
			Metadata []struct {
				Name  string `yaml:"name"`
				Value string `yaml:"value"`
			} `yaml:"metadata"`
		} `yaml:"spec"`
	}
	if err := yaml.Unmarshal(read(t, "../../components/pubsub.yaml"), &component); err != nil {
		t.Fatal(err)
	}
	scopes := map[string][]string{}
	for _, m := range component.Spec.Metadata {
		if m.Name != "publishingScopes" {
			continue
		}
		for scope := range strings.SplitSeq(m.Value, ";") {
			app, topics, _ := strings.Cut(scope, "=")
			if topics != "" {
				scopes[app] = strings.Split(topics, ",")
			}
		}
	}
	return scopes
}
