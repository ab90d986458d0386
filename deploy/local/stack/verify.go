package stack

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/caravan-shop/caravan/deploy/local/servers"
)

// metadata is what a sidecar says of itself.
type metadata struct {
	Subscriptions []struct{ Topic string } `json:"subscriptions"`
}

// checkSidecars compares each sidecar with what its files declare: a subscription that Dapr refuses is only logged by it,
// and nobody would notice before the first event is missed.
func (s *Stack) checkSidecars(ctx context.Context) error {
	work, ctx := errgroup.WithContext(ctx)
	for _, instance := range s.instances() {
		work.Go(func() error {
			declared, err := declaredTopics(s.dapr("subscriptions", appOf(instance)+".yaml"))
			if err != nil {
				return err
			}
			return s.awaitSubscriptions(ctx, instance, declared)
		})
	}
	return work.Wait()
}

func (s *Stack) awaitSubscriptions(ctx context.Context, instance string, declared []string) error {
	for deadline := time.Now().Add(20 * time.Second); ; {
		live, err := s.liveTopics(ctx, instance)
		if err == nil && slices.Equal(live, declared) {
			return nil
		}
		if time.Now().After(deadline) {
			if err != nil {
				return fmt.Errorf("ask the sidecar of %s for its subscriptions: %w", instance, err)
			}
			return fmt.Errorf("the sidecar of %s listens to %v, declared are %v", instance, live, declared)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(100 * time.Millisecond):
		}
	}
}

func (s *Stack) liveTopics(ctx context.Context, instance string) ([]string, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+servers.Loopback(s.appPort(daprHTTPPort, instance))+"/v1.0/metadata", nil)
	if err != nil {
		return nil, err
	}
	request.Header.Set("dapr-api-token", s.secrets.API[appOf(instance)])
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	defer func() { _ = response.Body.Close() }()
	var m metadata
	if err := json.NewDecoder(response.Body).Decode(&m); err != nil {
		return nil, err
	}
	var topics []string
	for _, subscription := range m.Subscriptions {
		topics = append(topics, subscription.Topic)
	}
	slices.Sort(topics)
	return topics, nil
}

// awaitAccounts makes sure that the demo accounts can sign in: the user service makes them once it runs.
func (s *Stack) awaitAccounts(ctx context.Context) error {
	for role, account := range s.secrets.Accounts {
		var err error
		// Few tries, far apart: failures count against the address.
		for range 8 {
			if err = s.signIn(ctx, account); err == nil {
				break
			}
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(time.Second):
			}
		}
		if err != nil {
			return fmt.Errorf("the demo account %s cannot sign in: %w; see `make logs S=user`", role, err)
		}
	}
	return nil
}

func (s *Stack) signIn(ctx context.Context, account Account) error {
	body, err := json.Marshal(account)
	if err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, s.edgeURL()+"/v1.0/invoke/user/method/v1/sessions", bytes.NewReader(body))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	_ = response.Body.Close()
	if response.StatusCode != http.StatusCreated {
		return fmt.Errorf("status %s", response.Status)
	}
	return nil
}

// declaredTopics reads the topics of a subscription file; an app without one listens to nothing.
func declaredTopics(path string) ([]string, error) {
	content, err := os.ReadFile(path)
	if os.IsNotExist(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var topics []string
	for line := range strings.Lines(string(content)) {
		if topic, found := strings.CutPrefix(line, "  topic: "); found {
			topics = append(topics, strings.TrimSpace(topic))
		}
	}
	if topics == nil {
		return nil, fmt.Errorf("%s declares no topic", filepath.Base(path))
	}
	slices.Sort(topics)
	return topics, nil
}
