package servers

import (
	"cmp"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
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
	// ReplicaSet is the name of the set of which the server is the only member; empty: the local server's own.
	ReplicaSet string
}

// localSet is what the local server always calls its replica set.
const localSet = "secantus"

// URL is how a client connects.
func (m Mongo) URL() string {
	return "mongodb://" + Loopback(m.Port) + "/?replicaSet=" + cmp.Or(m.ReplicaSet, localSet)
}

// Process describes the server. It is started without --sync-on-commit: what it acknowledged outlives its own death as it
// is, and waiting for the disk as well would cost six of seven writes.
func (m Mongo) Process() *supervise.Process {
	args := []string{filepath.Join(m.Recipe, "secantusd_now.py"), "--host", "127.0.0.1", "--port", strconv.Itoa(m.Port),
		"--storage-path", m.Data, "--log-level", "WARNING"}
	return &supervise.Process{
		Path: m.Python, Args: args, Env: append(basics(), "PYTHONUNBUFFERED=1"), Dir: filepath.Dir(m.Data),
		Prepare: func(context.Context) error { return os.MkdirAll(m.Data, 0o700) },
		Ready:   m.Ready, StopWithin: 15 * time.Second, Orphaned: syscall.SIGTERM,
	}
}

// Ready probes whether the server takes writes.
func (m Mongo) Ready(ctx context.Context) error {
	if err := Listening(Loopback(m.Port))(ctx); err != nil {
		return err
	}
	return m.ask(ctx, m.URL(), func(client *mongo.Client) error { return client.Ping(ctx, nil) })
}

// Founded is Ready for a server that is no member of a replica set at its first start: it then makes the set.
func (m Mongo) Founded(ctx context.Context) error {
	if err := Listening(Loopback(m.Port))(ctx); err != nil {
		return err
	}
	err := m.ask(ctx, "mongodb://"+Loopback(m.Port)+"/?directConnection=true", func(client *mongo.Client) error {
		return client.Database("admin").RunCommand(ctx, bson.D{{Key: "replSetInitiate", Value: bson.D{
			{Key: "_id", Value: m.ReplicaSet},
			{Key: "members", Value: bson.A{bson.D{{Key: "_id", Value: 0}, {Key: "host", Value: Loopback(m.Port)}}}},
		}}}).Err()
	})
	var refused mongo.CommandError
	if err != nil && (!errors.As(err, &refused) || refused.Code != alreadyInitialized) {
		return err
	}
	return m.Ready(ctx)
}

// alreadyInitialized is how MongoDB answers to a second replSetInitiate.
const alreadyInitialized = 23

func (m Mongo) ask(ctx context.Context, url string, question func(*mongo.Client) error) error {
	client, err := mongo.Connect(options.Client().ApplyURI(url).SetServerSelectionTimeout(2 * time.Second))
	if err != nil {
		return err
	}
	defer func() { _ = client.Disconnect(ctx) }()
	return question(client)
}
