package main

import (
	"context"
	"fmt"
	"io"
	stdlog "log"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/mount"
	"github.com/moby/moby/client"
	"github.com/testcontainers/testcontainers-go"

	"github.com/caravan-shop/caravan/deploy/local/stack"
	"github.com/caravan-shop/caravan/deploy/local/supervise"
)

// engine starts containers and keeps them, with their data, until it is closed.
type engine struct {
	client *testcontainers.DockerClient

	mu   sync.Mutex
	made map[string]testcontainers.Container // by the name of the process
}

func connect(ctx context.Context) (*engine, error) {
	docker, err := testcontainers.NewDockerClientWithOpts(ctx)
	if err != nil {
		return nil, fmt.Errorf("no container engine: %w", err)
	}
	return &engine{client: docker, made: map[string]testcontainers.Container{}}, nil
}

// launch is a stack.ContainerLauncher.
func (e *engine) launch(ctx context.Context, c stack.Container, out *os.File) (supervise.Body, error) {
	b, err := e.start(ctx, c, out)
	if err != nil {
		_ = out.Close()
		return nil, err
	}
	return b, nil
}

func (e *engine) start(ctx context.Context, c stack.Container, out *os.File) (supervise.Body, error) {
	made, err := e.obtain(ctx, c)
	if err != nil {
		return nil, fmt.Errorf("make a container of %s: %w", c.Image, err)
	}
	id, life := made.GetContainerID(), context.WithoutCancel(ctx)
	// Before the start, so that no line is missed.
	output, err := e.client.ContainerAttach(life, id, client.ContainerAttachOptions{Stream: true, Stdout: true, Stderr: true})
	if err != nil {
		return nil, fmt.Errorf("attach to %s: %w", c.Name, err)
	}
	if err := made.Start(ctx); err != nil {
		output.Close()
		return nil, fmt.Errorf("start %s: %w", c.Image, err)
	}
	b := &body{signal: e.signal(life, id), ended: e.client.ContainerWait(life, id, client.ContainerWaitOptions{Condition: container.WaitConditionNotRunning})}
	if info, err := made.Inspect(ctx); err == nil && info.State != nil {
		b.pid = info.State.Pid
	}
	go b.copyOutput(out, output)
	return b, nil
}

func (e *engine) signal(ctx context.Context, id string) func(string) error {
	return func(name string) error {
		ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
		defer cancel()
		_, err := e.client.ContainerKill(ctx, id, client.ContainerKillOptions{Signal: name})
		return err
	}
}

// obtain makes the container at its first start.
func (e *engine) obtain(ctx context.Context, c stack.Container) (testcontainers.Container, error) {
	e.mu.Lock()
	made := e.made[c.Name]
	e.mu.Unlock()
	if made != nil {
		return made, nil
	}
	made, err := testcontainers.GenericContainer(ctx, testcontainers.GenericContainerRequest{
		ContainerRequest: request(c), Logger: stdlog.New(io.Discard, "", 0),
	})
	if made != nil {
		e.mu.Lock()
		e.made[c.Name] = made
		e.mu.Unlock()
	}
	return made, err
}

func request(c stack.Container) testcontainers.ContainerRequest {
	env := map[string]string{}
	for _, entry := range c.Env {
		key, value, _ := strings.Cut(entry, "=")
		env[key] = value
	}
	return testcontainers.ContainerRequest{
		Image: c.Image, Name: fmt.Sprintf("caravan-%d-%s", os.Getpid(), c.Name), Entrypoint: c.Entrypoint, Cmd: c.Args, Env: env,
		ConfigModifier: func(config *container.Config) { config.User = c.User },
		HostConfigModifier: func(host *container.HostConfig) {
			host.NetworkMode = "host"
			for _, path := range c.Reads {
				host.Binds = append(host.Binds, path+":"+path+":ro")
			}
			for _, path := range c.Writes {
				host.Binds = append(host.Binds, path+":"+path)
			}
			for _, path := range c.Volumes {
				host.Mounts = append(host.Mounts, mount.Mount{Type: mount.TypeVolume, Target: path})
			}
			if c.Confined {
				host.PidMode, host.ReadonlyRootfs, host.CapDrop = "host", true, []string{"ALL"}
				host.SecurityOpt, host.Tmpfs = []string{"no-new-privileges"}, map[string]string{"/tmp": "size=16m,mode=1777"}
			}
		},
	}
}

// close removes all containers and what they have stored.
func (e *engine) close(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	e.mu.Lock()
	defer e.mu.Unlock()
	var all sync.WaitGroup
	for _, made := range e.made {
		all.Go(func() {
			if err := made.Terminate(ctx, testcontainers.StopTimeout(0)); err != nil {
				fmt.Fprintln(os.Stderr, "teststack: remove a container:", err)
			}
		})
	}
	all.Wait()
}
