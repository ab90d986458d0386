package servers

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/caravan-shop/caravan/deploy/local/provision"
	"github.com/caravan-shop/caravan/deploy/local/supervise"
)

// ClusterID is the same in every local stack: a data folder stays usable when its stack moves to other ports.
const ClusterID = "Y2FyYXZhbi1sb2NhbC0xIQ"

// partitions of every topic.
const partitions = 6

// Kafka is a single broker that is its own controller.
type Kafka struct {
	Java           provision.JavaServer
	Recipe         string // the folder with server.properties and log4j2.xml
	Data           string
	Config         string // where the broker's properties are written
	Port           int
	ControllerPort int
	JVM            []string // further JVM options
}

// Address is what clients connect to.
func (k Kafka) Address() string { return Loopback(k.Port) }

// Process describes the broker.
func (k Kafka) Process() *supervise.Process {
	return &supervise.Process{
		Path: "java", Args: k.command("kafka.Kafka", k.Config), Env: basics(), Dir: filepath.Dir(k.Config),
		Prepare: k.prepare, Ready: k.Ready, ReadyWithin: 2 * time.Minute, StopWithin: 20 * time.Second,
	}
}

func (k Kafka) command(class string, args ...string) []string {
	options := []string{"-Xms128m", "-Xmx384m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-XX:+ExitOnOutOfMemoryError",
		"-Djava.awt.headless=true", "-Dlog4j2.configurationFile=" + filepath.Join(k.Recipe, "log4j2.xml")}
	options = append(append(options, k.Java.Options()...), k.JVM...)
	return append(append(options, "-cp", k.Java.ClassPath, class), args...)
}

// Properties are the broker's settings: what all stacks have in common, its addresses and its data folder.
func (k Kafka) Properties() (string, error) {
	common, err := os.ReadFile(filepath.Join(k.Recipe, "server.properties"))
	if err != nil {
		return "", err
	}
	controller := Loopback(k.ControllerPort)
	return string(common) + strings.Join([]string{
		"", "controller.quorum.voters=1@" + controller,
		"listeners=PLAINTEXT://" + k.Address() + ",CONTROLLER://" + controller,
		"advertised.listeners=PLAINTEXT://" + k.Address(),
		"log.dirs=" + k.Data, "",
	}, "\n"), nil
}

// prepare writes the properties and formats an empty data folder.
func (k Kafka) prepare(ctx context.Context) error {
	properties, err := k.Properties()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(k.Data, 0o700); err != nil {
		return err
	}
	if err := os.WriteFile(k.Config, []byte(properties), 0o600); err != nil {
		return err
	}
	if _, err := os.Stat(filepath.Join(k.Data, "meta.properties")); err == nil {
		return nil
	}
	format := exec.CommandContext(ctx, "java", k.command("kafka.tools.StorageTool", "format", "-t", ClusterID, "-c", k.Config, "--ignore-formatted")...)
	format.Env = basics()
	format.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if out, err := format.CombinedOutput(); err != nil {
		return fmt.Errorf("format Kafka's storage: %w\n%s", err, out)
	}
	return nil
}

// Ready wants a broker and a controller in the metadata: the port opens well before the broker can serve.
func (k Kafka) Ready(ctx context.Context) error {
	admin, err := k.admin()
	if err != nil {
		return err
	}
	defer admin.Close()
	metadata, err := admin.BrokerMetadata(ctx)
	if err != nil {
		return err
	}
	if len(metadata.Brokers) == 0 || metadata.Controller < 0 {
		return errors.New("the broker has not joined its cluster yet")
	}
	return nil
}

func (k Kafka) admin() (*kadm.Client, error) {
	client, err := kgo.NewClient(kgo.SeedBrokers(k.Address()), kgo.RetryTimeout(2*time.Second), kgo.DialTimeout(2*time.Second))
	if err != nil {
		return nil, err
	}
	return kadm.NewClient(client), nil
}

// CreateTopics makes the topics that are missing.
func (k Kafka) CreateTopics(ctx context.Context, topics []string) error {
	admin, err := k.admin()
	if err != nil {
		return err
	}
	defer admin.Close()
	answers, err := admin.CreateTopics(ctx, partitions, 1, nil, topics...)
	if err != nil {
		return fmt.Errorf("create topics: %w", err)
	}
	for _, answer := range answers {
		if answer.Err != nil && !errors.Is(answer.Err, kerr.TopicAlreadyExists) {
			return fmt.Errorf("create topic %s: %w", answer.Topic, answer.Err)
		}
	}
	return nil
}
