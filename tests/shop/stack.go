// Package shop is a client of a running Caravan: it knows a stack by its
// stack.json alone and drives it by the public contract. The whole-stack tests,
// the benchmark and the demo stand on it; it must import no service.
package shop

import (
	"encoding/json"
	"fmt"
	"os"
)

// Stack is what a running stack says of itself.
type Stack struct {
	Edge  string   `json:"edge"`
	Kafka []string `json:"kafka"`
	Mail  struct {
		SMTP string `json:"smtp"`
		HTTP string `json:"http"`
	} `json:"mail"`
	Sandbox       string             `json:"sandbox"`
	Redis         string             `json:"redis"`
	Elasticsearch string             `json:"elasticsearch"`
	Mongo         string             `json:"mongo"`
	Postgres      map[string]string  `json:"postgres"`
	Accounts      map[string]Account `json:"accounts"`
	Sidecars      map[string]Sidecar `json:"sidecars"`
	Processes     []Process          `json:"processes"`
	// Crashpoints is a folder to arm crash points by; "" if the stack has none.
	Crashpoints string `json:"crashpoints"`
	// Images has what runs in containers: by process, or "daprd" for all sidecars, the image.
	Images map[string]string `json:"images"`
}

// Account is a demo account.
type Account struct {
	Email    string `json:"email"`
	Password string `json:"password"`
}

// Sidecar is where an app's daprd listens, and the token that it wants.
type Sidecar struct {
	HTTP     string `json:"http"`
	APIToken string `json:"api_token"`
}

// Process is one process of the stack.
type Process struct {
	Name    string `json:"name"`
	PID     int    `json:"pid"`
	Restart string `json:"restart"`
}

// Load reads a stack.json.
func Load(path string) (*Stack, error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("stack: %w", err)
	}
	var s Stack
	if err := json.Unmarshal(raw, &s); err != nil {
		return nil, fmt.Errorf("stack %s: %w", path, err)
	}
	return &s, nil
}

// Process gives the process of a name as it is now; its pid changes with a restart.
func (s *Stack) Process(name string) (Process, bool) {
	for _, p := range s.Processes {
		if p.Name == name {
			return p, true
		}
	}
	return Process{}, false
}
