package notification_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/redis/go-redis/v9"

	"github.com/caravan-shop/caravan/services/notification/internal/claims"
	"github.com/caravan-shop/caravan/services/notification/internal/claimstest"
	"github.com/caravan-shop/caravan/services/notification/internal/mail"
	"github.com/caravan-shop/caravan/services/notification/internal/notification"
	"github.com/caravan-shop/caravan/services/notification/internal/post"
	"github.com/caravan-shop/caravan/services/notification/internal/posttest"
)

// neighbours stands for User and Order.
type neighbours struct {
	mu      sync.Mutex
	contact notification.Contact
	erased  bool
	gone    bool
	waits   bool
	err     error
	asked   int
}

func (n *neighbours) ask() error {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.asked++
	return n.err
}

func (n *neighbours) Contact(context.Context, uuid.UUID) (notification.Contact, bool, error) {
	return n.contact, !n.erased, n.ask()
}

func (n *neighbours) ResetToken(context.Context, uuid.UUID) (notification.Token, bool, error) {
	return notification.Token{Value: "reset-token-of-this-test"}, !n.gone, n.ask()
}

func (n *neighbours) VerificationToken(context.Context, uuid.UUID) (notification.Token, bool, error) {
	return notification.Token{Value: "verification-token-of-this-test"}, !n.gone, n.ask()
}

func (n *neighbours) Verification(context.Context, uuid.UUID, uuid.UUID) (notification.Token, string, bool, error) {
	return notification.Token{Value: "verification-token-of-this-test"}, "ada.new@example.com", !n.gone, n.ask()
}

func (n *neighbours) FormerAddress(context.Context, uuid.UUID, uuid.UUID) (string, bool, error) {
	return "ada.former@example.com", !n.gone, n.ask()
}

func (n *neighbours) AwaitsPayment(context.Context, uuid.UUID) (bool, error) {
	return n.waits, n.ask()
}

// shop is one Redis, one mail server and the neighbours, over which any number
// of replicas of the service can be started.
type shop struct {
	redis      *redis.Client
	server     *posttest.Server
	neighbours *neighbours
	lease      time.Duration
	log        *bytes.Buffer
	logger     *slog.Logger

	mu     sync.Mutex
	counts map[notification.Outcome]int
}

func (s *shop) count(_ notification.Kind, o notification.Outcome) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.counts[o]++
}

func openShop(t *testing.T) *shop {
	log := &bytes.Buffer{}
	return &shop{
		redis: claimstest.Open(t), server: posttest.Start(t), lease: time.Minute,
		counts: map[notification.Outcome]int{},
		log:    log, logger: slog.New(slog.NewJSONHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug})),
		neighbours: &neighbours{waits: true, contact: notification.Contact{Email: "ada@example.com", FirstName: "Ada", LastName: "Lovelace"}},
	}
}

func (s *shop) claims() notification.Claims { return claims.New(s.redis, s.lease, uuid.New) }

func (s *shop) office(t *testing.T) *post.Office {
	t.Helper()
	office, err := post.New(post.Settings{
		Addr: s.server.Addr, From: "Caravan <shop@caravan.example>", Security: post.None,
		Connections: 2, Timeout: 5 * time.Second, IdleFor: time.Minute,
	}, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	return office
}

// replica starts a process of the service: with a memory and connections of its own.
func (s *shop) replica(t *testing.T, c notification.Claims) *notification.Notifier {
	t.Helper()
	renderer, err := mail.New(mail.Shop{Name: "Caravan", URL: "https://shop.example"})
	if err != nil {
		t.Fatal(err)
	}
	office := s.office(t)
	ports := notification.Ports{Directory: s.neighbours, Orders: s.neighbours, Renderer: renderer, Sender: office, Claims: c, Count: s.count}
	return notification.New(ports, office.Domain(), notification.Times{Work: 5 * time.Second, Settle: time.Second}, s.logger)
}

func (s *shop) occasion(t *testing.T, kind notification.Kind) notification.Occasion {
	t.Helper()
	o := notification.Example(kind, "GBP").Occasion
	o.EventID = claimstest.EventID(t, s.redis)
	return o
}

func (s *shop) wantMails(t *testing.T, want int) {
	t.Helper()
	if got := len(s.server.Mails()); got != want {
		t.Errorf("got %d mails, want %d", got, want)
	}
}

func TestNotifyOnceAnEvent(t *testing.T) {
	for _, trigger := range notification.Triggers() {
		t.Run(string(trigger.Kind), func(t *testing.T) {
			s := openShop(t)
			o := s.occasion(t, trigger.Kind)
			for range 3 { // a replay comes from a process that knows nothing of the first
				if err := s.replica(t, s.claims()).Notify(t.Context(), o); err != nil {
					t.Fatal(err)
				}
			}
			s.wantMails(t, 1)
			id := s.server.Mails()[0].Header(t).Get("Message-Id")
			if !strings.HasPrefix(id, "<"+o.EventID+".") || !strings.HasSuffix(id, "@caravan.example>") {
				t.Errorf("message id: got %q", id)
			}
		})
	}
}

func TestTwoReplicasRace(t *testing.T) {
	s := openShop(t)
	replicas := []*notification.Notifier{s.replica(t, s.claims()), s.replica(t, s.claims())}
	const many = 20
	var wg sync.WaitGroup
	for range many {
		o := s.occasion(t, notification.OrderReceived)
		for i := range 4 { // each event twice to each replica, all at once
			wg.Go(func() { deliver(t, replicas[i%2], o) })
		}
	}
	wg.Wait()
	s.wantMails(t, many)
	seen := map[string]bool{}
	for _, m := range s.server.Mails() {
		seen[m.Header(t).Get("Message-Id")] = true
	}
	if len(seen) != many {
		t.Errorf("got %d different mails, want %d", len(seen), many)
	}
}

// deliver does what the sidecar does: it delivers until the event is acknowledged.
func deliver(t *testing.T, n *notification.Notifier, o notification.Occasion) {
	deadline := time.Now().Add(20 * time.Second)
	for time.Now().Before(deadline) {
		err := n.Notify(t.Context(), o)
		if err == nil {
			return
		}
		if !errors.Is(err, notification.ErrClaimed) {
			t.Error(err)
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
	t.Errorf("%s was never acknowledged", o.EventID)
}

// dead is the claim store as a process sees it that is killed right after the
// server took the mail: it takes its claim, and nothing of it comes after.
type dead struct{ notification.Claims }

var errKilled = errors.New("killed")

func (dead) Settle(context.Context, string, notification.Outcome) error { return errKilled }
func (dead) Release(context.Context, string, string) error              { return errKilled }

func TestCrashBetweenSendAndMark(t *testing.T) {
	s := openShop(t)
	s.lease = 300 * time.Millisecond
	o := s.occasion(t, notification.OrderShipped)
	if err := s.replica(t, dead{s.claims()}).Notify(t.Context(), o); !errors.Is(err, errKilled) {
		t.Fatalf("got %v, want the crash", err)
	}
	next := s.replica(t, s.claims())
	if err := next.Notify(t.Context(), o); !errors.Is(err, notification.ErrClaimed) {
		t.Errorf("while the lease lasts: got %v, want ErrClaimed", err)
	}
	deliver(t, next, o)
	deliver(t, next, o)
	s.wantMails(t, 2)
	mails := s.server.Mails()
	if diff := cmp.Diff(string(mails[0].Data), string(mails[1].Data)); diff != "" {
		t.Errorf("the repeated mail is another mail:\n%s", diff)
	}
}

// forgetful is a Redis that goes away between sending and marking and comes back.
type forgetful struct {
	notification.Claims
	failures int
}

func (f *forgetful) Settle(ctx context.Context, key string, o notification.Outcome) error {
	if f.failures > 0 {
		f.failures--
		return errors.New("connection refused")
	}
	return f.Claims.Settle(ctx, key, o)
}

func TestRedisAwayWhenMarking(t *testing.T) {
	s := openShop(t)
	s.lease = time.Millisecond // ends at once: only the process's memory prevents a second mail
	o := s.occasion(t, notification.Receipt)
	n := s.replica(t, &forgetful{Claims: s.claims(), failures: 3})
	for range 3 {
		if err := n.Notify(t.Context(), o); err == nil {
			t.Error("an unmarked mail was acknowledged")
		}
	}
	if err := n.Notify(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	if err := s.replica(t, s.claims()).Notify(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	s.wantMails(t, 1)
}

func TestRedisDown(t *testing.T) {
	s := openShop(t)
	away := redis.NewClient(&redis.Options{Addr: "127.0.0.1:1", MaxRetries: -1})
	defer func() { _ = away.Close() }()
	o := s.occasion(t, notification.Welcome)
	if err := s.replica(t, claims.New(away, time.Minute, uuid.New)).Notify(t.Context(), o); err == nil {
		t.Error("an event was acknowledged that nobody could claim")
	}
	s.wantMails(t, 0)
	if s.neighbours.asked != 0 {
		t.Error("a token was fetched without a claim")
	}
	if err := s.replica(t, s.claims()).Notify(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	s.wantMails(t, 1)
}

func TestMailServerDown(t *testing.T) {
	s := openShop(t)
	o := s.occasion(t, notification.Welcome)
	n := s.replica(t, s.claims())
	s.server.Stop()
	if err := n.Notify(t.Context(), o); err == nil {
		t.Error("an event was acknowledged without a mail")
	}
	s.server = posttest.StartAt(t, s.server.Addr)
	// The claim was given back, so that the mail does not wait for the lease.
	if err := n.Notify(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	s.wantMails(t, 1)
}

func TestNobodyToWriteTo(t *testing.T) {
	cases := map[string]struct {
		kind   notification.Kind
		change func(*neighbours, *notification.Occasion)
	}{
		"erased":        {notification.OrderCancelled, func(n *neighbours, _ *notification.Occasion) { n.erased = true }},
		"erased new":    {notification.Welcome, func(n *neighbours, _ *notification.Occasion) { n.erased = true }},
		"verified":      {notification.Welcome, func(n *neighbours, _ *notification.Occasion) { n.gone = true }},
		"proven since":  {notification.VerifyEmail, func(n *neighbours, _ *notification.Occasion) { n.gone = true }},
		"forgotten":     {notification.EmailChanged, func(n *neighbours, _ *notification.Occasion) { n.gone = true }},
		"reset is gone": {notification.PasswordReset, func(n *neighbours, _ *notification.Occasion) { n.gone = true }},
		"paid since":    {notification.PaymentFailed, func(n *neighbours, _ *notification.Occasion) { n.waits = false }},
		"order closed":  {notification.PaymentFailed, func(_ *neighbours, o *notification.Occasion) { o.Payment.FailureCode = "order_closed" }},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			s := openShop(t)
			o := s.occasion(t, c.kind)
			c.change(s.neighbours, &o)
			n := s.replica(t, s.claims())
			if err := n.Notify(t.Context(), o); err != nil {
				t.Fatalf("not acknowledged: %v", err)
			}
			before := s.neighbours.asked
			if err := n.Notify(t.Context(), o); err != nil {
				t.Fatal(err)
			}
			if s.neighbours.asked != before {
				t.Error("a replayed event asked the neighbours again")
			}
			s.wantMails(t, 0)
		})
	}
}

func TestNeighbourDown(t *testing.T) {
	for _, trigger := range notification.Triggers() {
		s := openShop(t)
		o := s.occasion(t, trigger.Kind)
		n := s.replica(t, s.claims())
		s.neighbours.err = errors.New("neighbour_unavailable")
		if err := n.Notify(t.Context(), o); err == nil {
			t.Errorf("%s: acknowledged without an answer", trigger.Kind)
		}
		s.wantMails(t, 0)
		s.neighbours.err = nil
		if err := n.Notify(t.Context(), o); err != nil {
			t.Errorf("%s: %v", trigger.Kind, err)
		}
		s.wantMails(t, 1)
	}
}

func TestLogsNameNobody(t *testing.T) {
	s := openShop(t)
	for _, kind := range []notification.Kind{notification.Welcome, notification.PasswordReset} {
		if err := s.replica(t, s.claims()).Notify(t.Context(), s.occasion(t, kind)); err != nil {
			t.Fatal(err)
		}
	}
	if s.log.Len() == 0 {
		t.Error("nothing was logged")
	}
	for _, secret := range []string{"token-of-this-test", "ada@example.com", "Ada", "Lovelace"} {
		if strings.Contains(s.log.String(), secret) {
			t.Errorf("the log holds %q", secret)
		}
	}
	if data := string(s.server.Mails()[1].Data); !strings.Contains(data, "reset-token-of-this-test") {
		t.Errorf("the mail lacks its token:\n%s", data)
	}
}
