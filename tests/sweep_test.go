package tests

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/redis/go-redis/v9"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/caravan-shop/caravan/services/events"
)

// sweep looks for a person in every store that the stack has. A table, collection
// or topic that it does not know fails the test: somebody must say first
// whether it may hold people.
type sweep struct {
	t       *testing.T
	ctx     context.Context
	needles []string // lower case
}

// knownTables lists every table of each database.
func knownTables() map[string]string {
	const technical = " inbox outbox outbox_sequences idempotency_keys goose_db_version "
	return map[string]string{
		"user": technical + `users user_roles user_role_mapping user_addresses password_reset_tokens password_reset_requests
			email_verification_tokens sessions refresh_tokens second_factors signing_keys`,
		"product": technical + `products categories product_inventory product_reviews product_images inventory_movements holds hold_lines
			projection_queue stock_alerts erased_users`,
		"order": technical + `orders order_items order_status_history checkouts erased_users`,
		"payment": technical + `transactions refunds payment_methods user_saved_payment_methods payment_orders provider_customers
			method_detachments webhook_events erased_users`,
	}
}

// stores gives the places where the person is now, logs and topics apart.
func (s *sweep) stores() []string {
	s.t.Helper()
	var found []string
	for _, service := range slices.Sorted(maps.Keys(knownTables())) {
		found = append(found, s.postgres(service)...)
	}
	found = append(found, s.mongo()...)
	found = append(found, s.redis()...)
	return append(found, s.elasticsearch()...)
}

// records gives the topics and files where the person is; nothing is ever
// taken out of them.
func (s *sweep) records() []string {
	s.t.Helper()
	return append(s.kafka(), s.files("logs", "mailbox.log")...)
}

func (s *sweep) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

// has tells whether the person is in a text, as such or in hexadecimal.
func (s *sweep) has(text []byte) bool {
	text = bytes.ToLower(text)
	return slices.ContainsFunc(s.needles, func(needle string) bool {
		return bytes.Contains(text, []byte(needle)) || bytes.Contains(text, []byte(hex.EncodeToString([]byte(needle))))
	})
}

func (s *sweep) postgres(service string) (found []string) {
	s.t.Helper()
	known := strings.Fields(knownTables()[service])
	conn, err := pgx.Connect(s.ctx, w.stack.Postgres[service])
	s.must(err)
	defer func() { _ = conn.Close(context.WithoutCancel(s.ctx)) }()
	rows, err := conn.Query(s.ctx, `
SELECT n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'm', 'f') AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')`)
	s.must(err)
	tables, err := pgx.CollectRows(rows, pgx.RowToStructByPos[struct{ Schema, Name string }])
	s.must(err)
	var patterns []string
	for _, needle := range s.needles {
		patterns = append(patterns, "%"+needle+"%", "%"+hex.EncodeToString([]byte(needle))+"%")
	}
	for _, table := range tables {
		if table.Schema != "public" || !slices.Contains(known, table.Name) {
			s.t.Errorf("database of %s: the sweep does not know table %s.%s", service, table.Schema, table.Name)
		}
		var n int
		sql := "SELECT count(*) FROM " + pgx.Identifier{table.Schema, table.Name}.Sanitize() + " x WHERE lower(x::text) LIKE ANY($1)"
		s.must(conn.QueryRow(s.ctx, sql, patterns).Scan(&n))
		// What a bytea holds shows in hexadecimal of the letters as they were written.
		if n > 0 {
			found = append(found, fmt.Sprintf("postgres %s.%s: %d rows", service, table.Name, n))
		}
	}
	return found
}

func (s *sweep) mongo() (found []string) {
	s.t.Helper()
	client, err := mongo.Connect(options.Client().ApplyURI(w.stack.Mongo))
	s.must(err)
	defer func() { _ = client.Disconnect(context.WithoutCancel(s.ctx)) }()
	db := client.Database("cart_service_db")
	names, err := db.ListCollectionNames(s.ctx, bson.D{})
	s.must(err)
	for _, name := range names {
		if name != "carts" {
			s.t.Errorf("mongo: the sweep does not know collection %s", name)
		}
		cursor, err := db.Collection(name).Find(s.ctx, bson.D{})
		s.must(err)
		var docs []bson.D
		s.must(cursor.All(s.ctx, &docs))
		for _, doc := range docs {
			text, err := bson.MarshalExtJSON(doc, false, false)
			s.must(err)
			if s.has(text) {
				found = append(found, "mongo "+name)
			}
		}
	}
	return found
}

func redisClient(t *testing.T) *redis.Client {
	t.Helper()
	opt, err := redis.ParseURL(w.stack.Redis)
	if err != nil {
		t.Fatal(err)
	}
	rdb := redis.NewClient(opt)
	t.Cleanup(func() { _ = rdb.Close() })
	return rdb
}

func (s *sweep) redis() (found []string) {
	s.t.Helper()
	rdb := redisClient(s.t)
	keys := rdb.Scan(s.ctx, 0, "*", 1000).Iterator()
	for keys.Next(s.ctx) {
		key := keys.Val()
		kind, err := rdb.Type(s.ctx, key).Result()
		s.must(err)
		var value any
		switch kind {
		case "none": // gone since
			continue
		case "string":
			value, err = rdb.Get(s.ctx, key).Result()
		case "hash":
			value, err = rdb.HGetAll(s.ctx, key).Result()
		case "set":
			value, err = rdb.SMembers(s.ctx, key).Result()
		case "zset":
			value, err = rdb.ZRange(s.ctx, key, 0, -1).Result()
		case "list":
			value, err = rdb.LRange(s.ctx, key, 0, -1).Result()
		default:
			s.t.Errorf("redis: the sweep can't read %s of type %s", key, kind)
		}
		if err != nil && !errors.Is(err, redis.Nil) {
			s.t.Fatal(err)
		}
		if s.has([]byte(key + " " + fmt.Sprint(value))) {
			found = append(found, "redis "+key)
		}
	}
	s.must(keys.Err())
	return found
}

func (s *sweep) elasticsearch() (found []string) {
	s.t.Helper()
	var indices []struct {
		Index string `json:"index"`
	}
	s.must(json.Unmarshal(s.elastic("GET", "/_cat/indices?format=json&h=index&expand_wildcards=all", ""), &indices))
	for _, ix := range indices {
		if !strings.HasPrefix(ix.Index, "products_index") {
			s.t.Errorf("elasticsearch: the sweep does not know index %s", ix.Index)
		}
		page := s.elastic("POST", "/"+ix.Index+"/_search?scroll=1m&size=1000", `{"query":{"match_all":{}}}`)
		for {
			if s.has(page) {
				found = append(found, "elasticsearch "+ix.Index)
				break
			}
			var p struct {
				Scroll string `json:"_scroll_id"`
				Hits   struct {
					Hits []json.RawMessage `json:"hits"`
				} `json:"hits"`
			}
			s.must(json.Unmarshal(page, &p))
			if len(p.Hits.Hits) == 0 {
				break
			}
			page = s.elastic("POST", "/_search/scroll", fmt.Sprintf(`{"scroll":"1m","scroll_id":%q}`, p.Scroll))
		}
	}
	return found
}

func (s *sweep) elastic(method, path, body string) []byte {
	s.t.Helper()
	req, err := http.NewRequestWithContext(s.ctx, method, w.stack.Elasticsearch+path, strings.NewReader(body))
	s.must(err)
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	s.must(err)
	defer func() { _ = resp.Body.Close() }()
	raw, err := io.ReadAll(resp.Body)
	s.must(err)
	if resp.StatusCode != http.StatusOK {
		s.t.Fatalf("elasticsearch %s: status %d: %.300s", path, resp.StatusCode, raw)
	}
	return raw
}

// kafka reads each topic from its start to where it ends now.
func (s *sweep) kafka() []string {
	s.t.Helper()
	admin, err := kgo.NewClient(kgo.SeedBrokers(w.stack.Kafka...))
	s.must(err)
	defer admin.Close()
	topics, err := kadm.NewClient(admin).ListTopics(s.ctx)
	s.must(err)
	known := events.Topics()
	for app := range w.stack.Sidecars {
		known = append(known, "dead-letter."+app)
	}
	for _, name := range topics.Names() {
		if !slices.Contains(known, name) {
			s.t.Errorf("kafka: the sweep does not know topic %s", name)
		}
	}
	ends, err := kadm.NewClient(admin).ListEndOffsets(s.ctx, topics.Names()...)
	s.must(err)
	left := map[string]int64{}
	ends.Each(func(o kadm.ListedOffset) {
		if o.Offset > 0 {
			left[fmt.Sprint(o.Topic, o.Partition)] = o.Offset
		}
	})
	reader, err := kgo.NewClient(kgo.SeedBrokers(w.stack.Kafka...), kgo.ConsumeTopics(topics.Names()...), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	s.must(err)
	defer reader.Close()
	found := map[string]bool{}
	for len(left) > 0 {
		fetches := reader.PollFetches(s.ctx)
		s.must(s.ctx.Err())
		fetches.EachRecord(func(r *kgo.Record) {
			if s.has(slices.Concat(r.Key, []byte(" "), r.Value, []byte(fmt.Sprintf(" %s", r.Headers)))) {
				found["kafka "+r.Topic] = true
			}
			if at := fmt.Sprint(r.Topic, r.Partition); r.Offset+1 >= left[at] {
				delete(left, at)
			}
		})
	}
	return slices.Sorted(maps.Keys(found))
}

// files searches a folder of the stack's state.
func (s *sweep) files(folder string, apart ...string) (found []string) {
	s.t.Helper()
	root, n := filepath.Join(filepath.Dir(w.path), folder), 0
	s.must(filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || slices.Contains(apart, entry.Name()) {
			return err
		}
		raw, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		n++
		for line := range bytes.Lines(raw) {
			if s.has(line) {
				found = append(found, fmt.Sprintf("%s/%s: %.300s", folder, entry.Name(), line))
				break
			}
		}
		return nil
	}))
	if n < len(w.stack.Processes) {
		s.t.Errorf("%s: only %d files for %d processes", root, n, len(w.stack.Processes))
	}
	return found
}

// settle waits until no store holds the person.
func (s *sweep) settle(limit time.Duration) {
	s.t.Helper()
	deadline := time.Now().Add(limit)
	for {
		found := s.stores()
		if len(found) == 0 {
			return
		}
		if time.Now().After(deadline) {
			s.t.Fatalf("%s after the erasure the person is still in:\n%s", limit, strings.Join(found, "\n"))
		}
		time.Sleep(500 * time.Millisecond)
	}
}
