package stack

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"strconv"
	"time"

	"github.com/caravan-shop/caravan/deploy/local/servers"
	"github.com/caravan-shop/caravan/deploy/local/supervise"
)

// sidecarOf names the process of an app's sidecar.
func sidecarOf(app string) string { return "daprd-" + app }

// plan is one stack about to be started: everything that its units need to know.
type plan struct {
	Layout
	options  Options
	software software
	secrets  Secrets

	postgres servers.Postgres
	redis    servers.Redis
	kafka    servers.Kafka
	elastic  servers.Elasticsearch
	mongo    servers.Mongo
}

func newPlan(layout Layout, options Options, got software, secrets Secrets) *plan {
	p := &plan{Layout: layout, options: options, software: got, secrets: secrets}
	p.postgres = servers.Postgres{
		Program: got.postgres, Data: p.data("postgres"), Port: p.port(postgresPort),
		Password: secrets.Postgres["postgres"], Connections: 200, Durable: !options.Throwaway,
	}
	p.redis = servers.Redis{
		Program: got.redis, Data: p.data("redis"), Config: p.run("redis.conf"),
		Port: p.port(redisPort), Password: secrets.Redis, Durable: !options.Throwaway,
	}
	p.kafka = newKafka(layout, got)
	p.elastic = newElasticsearch(layout, got)
	p.mongo = servers.Mongo{
		Python: got.mongo, Recipe: p.recipe("mongo"), Data: p.data("mongo"), Port: p.port(mongoPort),
	}
	p.fitImages()
	return p
}

func newKafka(l Layout, got software) servers.Kafka {
	return servers.Kafka{
		Java: got.kafka, Recipe: l.recipe("kafka"), Data: l.data("kafka"), Config: l.run("kafka.properties"),
		Port: l.port(kafkaPort), ControllerPort: l.port(controllerPort),
	}
}

func newElasticsearch(l Layout, got software) servers.Elasticsearch {
	return servers.Elasticsearch{
		Java: got.elastic, Recipe: l.recipe("elasticsearch"), Home: l.data("elasticsearch"),
		Port: l.port(elasticPort), TransportPort: l.port(transportPort),
	}
}

// units lists everything in the order of its dependencies.
func (p *plan) units() ([]supervise.Unit, error) {
	list, err := p.serverUnits()
	if err != nil {
		return nil, err
	}
	list = append(list, p.helperUnits()...)
	for _, service := range relational() {
		list = append(list, p.migration(service, "databases"))
	}
	list = append(list, p.migration(cart, "mongo"))
	if !p.options.InfraOnly {
		for _, instance := range p.instances() {
			list = append(list, p.service(instance), p.sidecar(instance))
		}
	}
	list = append(list, p.sidecar(edge), p.edgeProxy())
	p.contain(list)
	return list, nil
}

func (p *plan) serverUnits() ([]supervise.Unit, error) {
	var list []supervise.Unit
	for _, name := range []string{"postgres", "redis", "kafka", "elasticsearch", "mongo"} {
		process, err := p.server(name)
		if err != nil {
			return nil, err
		}
		list = append(list, supervise.Unit{Name: name, Process: process})
	}
	return append(list, []supervise.Unit{
		{Name: "databases", After: []string{"postgres"}, Task: func(ctx context.Context) error {
			return makeDatabases(ctx, p.postgres, p.secrets.Postgres)
		}},
		{Name: "topics", After: []string{"kafka"}, Task: func(ctx context.Context) error {
			return p.kafka.CreateTopics(ctx, allTopics())
		}},
	}...), nil
}

// server describes one of the servers, in a container if there is an image for it.
func (p *plan) server(name string) (*supervise.Process, error) {
	if p.options.Images[name] != "" {
		return p.serverContainer(name)
	}
	switch name {
	case "postgres":
		return p.postgres.Process()
	case "redis":
		return p.redis.Process(), nil
	case "kafka":
		return p.kafka.Process(), nil
	case "elasticsearch":
		return p.elastic.Process(), nil
	default:
		return p.mongo.Process(), nil
	}
}

// helperUnits are sentry and the local stand-ins for a mail provider and a payment provider.
func (p *plan) helperUnits() []supervise.Unit {
	list := []supervise.Unit{
		{Name: "sentry", Process: p.sentry()},
		{Name: "mailbox", Process: share("mailbox", &supervise.Process{
			Path: p.bin("mailbox"), Dir: p.Dir, Ready: servers.Listening(servers.Loopback(p.port(mailPort))),
			Env: p.environment("mailbox", map[string]string{
				"MAILBOX_SMTP_PORT": strconv.Itoa(p.port(smtpPort)), "MAILBOX_HTTP_PORT": strconv.Itoa(p.port(mailPort)), "MAILBOX_DIR": p.ownData("mailbox"),
			}),
		})},
	}
	if p.options.StripeKey != "" {
		return list
	}
	return append(list, supervise.Unit{Name: "sandbox", Process: share("sandbox", &supervise.Process{
		Path: p.bin("sandbox"), Dir: p.Dir, Ready: servers.Listening(servers.Loopback(p.port(sandboxPort))),
		Env: p.environment("sandbox", map[string]string{
			"SANDBOX_PORT": strconv.Itoa(p.port(sandboxPort)), "SANDBOX_DIR": p.ownData("sandbox"),
			"SANDBOX_API_KEY":     p.secrets.Dapr["payment-stripe-api-key"],
			"SANDBOX_WEBHOOK_URL": p.edgeURL() + "/v1.0/invoke/payment/method/v1/webhooks/stripe", "SANDBOX_WEBHOOK_SECRET": p.secrets.Dapr["payment-stripe-webhook-secret"],
		}),
	})})
}

func (p *plan) edgeURL() string { return "http://" + servers.Loopback(p.port(edgePort)) }

// migration runs `<service> migrate` with the rights of the schema's owner.
func (p *plan) migration(service, after string) supervise.Unit {
	return supervise.Unit{Name: service + "-migrations", After: []string{after}, Task: func(ctx context.Context) error {
		log := filepath.Join(p.logs(), service+"-migrations.log")
		if p.options.Images[service] != "" {
			return p.migrateContained(ctx, service, log)
		}
		return runTask(ctx, p.bin(service), []string{"migrate"}, p.serviceEnv(service, true), log)
	}}
}

// service describes a process of one of the six.
func (p *plan) service(name string) supervise.Unit {
	after := []string{"redis", "topics", "mongo", "elasticsearch", "mailbox"}
	if app := appOf(name); app != notification {
		after = append(after, app+"-migrations")
	}
	return supervise.Unit{Name: name, After: after, Process: share(appOf(name), &supervise.Process{
		Path: p.bin(appOf(name)), Dir: p.Dir, Env: p.serviceEnv(name, false),
		Ready:      servers.Answers("http://"+servers.Loopback(p.appPort(appPort, name))+"/healthz", 200, 204),
		StopWithin: 15 * time.Second,
	})}
}

func isRelational(name string) bool {
	for _, service := range relational() {
		if service == name {
			return true
		}
	}
	return false
}

// edgeProxy is the door for clients. It comes last, so that whoever reaches it reaches a whole shop.
func (p *plan) edgeProxy() supervise.Unit {
	after := []string{sidecarOf(edge)}
	if !p.options.InfraOnly {
		for _, instance := range p.instances() {
			after = append(after, instance, sidecarOf(instance))
		}
	}
	return supervise.Unit{Name: edge, After: after, Process: share(edge, &supervise.Process{
		Path: p.bin(edge), Dir: p.Dir, Ready: servers.Answers(p.edgeURL()+"/v1.0/healthz", 200, 204), StopWithin: 20 * time.Second,
		Env: p.environment(edge, map[string]string{
			"EDGE_PORT": strconv.Itoa(p.port(edgePort)), "EDGE_API_TOKEN": p.secrets.API[edge],
			"EDGE_SIDECAR": "http://" + servers.Loopback(p.appPort(daprHTTPPort, edge)),
		}),
	})}
}

// demoAccounts is what the user service creates at its start.
func demoAccounts(accounts map[string]Account) string {
	type account struct {
		Email     string   `json:"email"`
		Password  string   `json:"password"`
		FirstName string   `json:"first_name"`
		LastName  string   `json:"last_name"`
		Roles     []string `json:"roles"`
	}
	names := map[string]string{"admin": "Ada", "staff": "Stan", "customer": "Carla"}
	var list []account
	for _, role := range []string{"admin", "staff", "customer"} {
		a := accounts[role]
		list = append(list, account{a.Email, a.Password, names[role], "Demo", []string{role}})
	}
	encoded, err := json.Marshal(list)
	if err != nil {
		panic(fmt.Sprintf("encode demo accounts: %v", err)) // strings alone always encode
	}
	return string(encoded)
}
