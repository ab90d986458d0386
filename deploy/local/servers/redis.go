package servers

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"syscall"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/caravan-shop/caravan/deploy/local/supervise"
)

// Redis is a Redis server with an append-only file, or without any file when it is not durable.
type Redis struct {
	Program  string
	Data     string
	Config   string // a file of mode 0600 that the server reads its password from
	Port     int
	Password string
	Durable  bool
}

// URL is how a client connects.
func (r Redis) URL() string {
	address := url.URL{Scheme: "redis", User: url.UserPassword("", r.Password), Host: Loopback(r.Port), Path: "/0"}
	return address.String()
}

// Process describes the server.
func (r Redis) Process() *supervise.Process {
	return &supervise.Process{
		Path: r.Program, Args: []string{r.Config}, Env: basics(), Dir: "/",
		Prepare: r.prepare, Ready: r.Ready, StopWithin: 15 * time.Second, Orphaned: syscall.SIGTERM,
	}
}

func (r Redis) prepare(context.Context) error {
	if err := os.MkdirAll(r.Data, 0o700); err != nil {
		return err
	}
	durable := "no"
	if r.Durable {
		durable = "yes"
	}
	settings := fmt.Sprintf("bind 127.0.0.1\nport %d\ndir %q\nappendonly %s\nsave \"\"\nrequirepass %s\n", r.Port, r.Data, durable, r.Password)
	return os.WriteFile(r.Config, []byte(settings), 0o600)
}

// Ready probes whether the server answers.
func (r Redis) Ready(ctx context.Context) error {
	options, err := redis.ParseURL(r.URL())
	if err != nil {
		return err
	}
	options.MaxRetries = -1
	client := redis.NewClient(options)
	defer func() { _ = client.Close() }()
	return client.Ping(ctx).Err()
}
