package servers

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/caravan-shop/caravan/deploy/local/supervise"
)

// Mongo is the server that speaks MongoDB's wire protocol.
type Mongo struct {
	Python string // the interpreter of its virtual environment
	Recipe string // the folder with secantusd_now.py
	Data   string
	Port   int
}

// URL is how a client connects.
func (m Mongo) URL() string { return "mongodb://" + Loopback(m.Port) + "/?replicaSet=secantus" }

// Process describes the server. It is started without --sync-on-commit: what it acknowledged outlives its own death as it
// is, and waiting for the disk as well would cost six of seven writes.
func (m Mongo) Process() *supervise.Process {
	args := []string{filepath.Join(m.Recipe, "secantusd_now.py"), "--host", "127.0.0.1", "--port", strconv.Itoa(m.Port),
		"--storage-path", m.Data, "--log-level", "WARNING"}
	return &supervise.Process{
		Path: m.Python, Args: args, Env: append(basics(), "PYTHONUNBUFFERED=1"), Dir: filepath.Dir(m.Data),
		Prepare: func(context.Context) error { return os.MkdirAll(m.Data, 0o700) },
		Ready:   m.ready, StopWithin: 15 * time.Second, Orphaned: syscall.SIGTERM,
	}
}

func (m Mongo) ready(ctx context.Context) error {
	if err := Listening(Loopback(m.Port))(ctx); err != nil {
		return err
	}
	client, err := mongo.Connect(options.Client().ApplyURI(m.URL()).SetServerSelectionTimeout(2 * time.Second))
	if err != nil {
		return err
	}
	defer func() { _ = client.Disconnect(ctx) }()
	return client.Ping(ctx, nil)
}
