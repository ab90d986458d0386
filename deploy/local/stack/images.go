package stack

import (
	"cmp"
	"fmt"
	"os"
	"path"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/caravan-shop/caravan/deploy/local/servers"
	"github.com/caravan-shop/caravan/deploy/local/supervise"
)

// native stands in the environment where a server is to run without a container.
const native = "native"

// Images lists from which image each server, Dapr process and program of ours is started: the official ones, those that
// CARAVAN_IMAGE_POSTGRES and so on name, and ours with the tag CARAVAN_TAG. "native" leaves one out.
func Images() map[string]string {
	tag := cmp.Or(os.Getenv("CARAVAN_TAG"), "dev")
	images := map[string]string{
		"postgres": "postgres:16.10-bookworm", "redis": "redis:7.4.5-bookworm", "mongo": "mongo:7.0.16", "kafka": "apache/kafka:4.1.0",
		"elasticsearch": "docker.elastic.co/elasticsearch/elasticsearch:8.19.4", "daprd": "caravan/daprd:" + tag, "sentry": "daprio/sentry:1.18.2",
	}
	for name := range images {
		images[name] = cmp.Or(os.Getenv("CARAVAN_IMAGE_"+strings.ToUpper(name)), images[name])
		if images[name] == native {
			delete(images, name)
		}
	}
	for _, program := range programs() {
		images[path.Base(program)] = "caravan/" + path.Base(program) + ":" + tag
	}
	return images
}

// fitImages tells the servers what is different in the official images.
func (p *plan) fitImages() {
	if p.options.Images["kafka"] != "" {
		p.kafka.Data = "/var/lib/kafka/data"
	}
	if p.options.Images["mongo"] != "" {
		p.mongo.ReplicaSet = "rs0"
	}
}

// serverContainer describes a server as its official image wants to be told: by arguments or by environment. Data lies in
// the container and goes with it.
func (p *plan) serverContainer(name string) (*supervise.Process, error) {
	c := Container{Name: name, Image: p.options.Images[name]}
	process := &supervise.Process{ReadyWithin: 3 * time.Minute, StopWithin: 30 * time.Second}
	switch name {
	case "postgres":
		c.Args = append([]string{"postgres"}, p.postgres.Settings()...)
		process.Env = []string{"POSTGRES_PASSWORD=" + p.postgres.Password,
			"POSTGRES_INITDB_ARGS=--encoding=UTF8 --locale=C.UTF-8 --data-checksums --auth-host=scram-sha-256"}
		process.Ready, process.Stop = p.postgres.Ready, syscall.SIGINT
	case "redis":
		durable := "no"
		if p.redis.Durable {
			durable = "yes"
		}
		c.Args = []string{"redis-server", "--bind", "127.0.0.1", "--port", strconv.Itoa(p.redis.Port), "--requirepass", p.redis.Password,
			"--appendonly", durable, "--save", ""}
		process.Ready = p.redis.Ready
	case "kafka":
		properties, err := p.kafka.Properties()
		if err != nil {
			return nil, err
		}
		process.Env = append(kafkaEnv(properties), "CLUSTER_ID="+servers.ClusterID, "KAFKA_HEAP_OPTS=-Xms128m -Xmx384m")
		process.Ready = p.kafka.Ready
	case "elasticsearch":
		process.Env = []string{"discovery.type=single-node", "xpack.security.enabled=false", "network.host=127.0.0.1",
			fmt.Sprintf("http.port=%d", p.elastic.Port), fmt.Sprintf("transport.port=%d", p.elastic.TransportPort), "ES_JAVA_OPTS=-Xms512m -Xmx512m"}
		process.Ready = p.elastic.Ready
	case "mongo":
		c.Args = []string{"mongod", "--port", strconv.Itoa(p.mongo.Port), "--bind_ip", "127.0.0.1", "--replSet", p.mongo.ReplicaSet}
		process.Ready = p.mongo.Founded
	}
	process.Launch = p.launcher(c)
	return process, nil
}

// kafkaEnv turns properties into what Kafka's image reads: node.id=1 is KAFKA_NODE_ID=1.
func kafkaEnv(properties string) []string {
	var env []string
	for line := range strings.Lines(properties) {
		key, value, found := strings.Cut(strings.TrimSpace(line), "=")
		if found && !strings.HasPrefix(key, "#") {
			env = append(env, "KAFKA_"+strings.ToUpper(strings.ReplaceAll(key, ".", "_"))+"="+value)
		}
	}
	return env
}
