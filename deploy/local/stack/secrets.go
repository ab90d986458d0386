package stack

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Account is a demo account.
type Account struct {
	Email    string `json:"email"`
	Password string `json:"password"`
}

// Secrets are generated at a stack's first start and kept in a file that only its owner reads.
type Secrets struct {
	Postgres map[string]string  `json:"postgres"` // by role
	Redis    string             `json:"redis"`
	API      map[string]string  `json:"api_tokens"` // of each sidecar, by app id
	App      map[string]string  `json:"app_tokens"` // that each sidecar shows its app, by app id
	Identity string             `json:"identity_key"`
	Accounts map[string]Account `json:"accounts"` // by role
	Dapr     map[string]string  `json:"dapr_secret_store"`
}

// loadSecrets reads the file and generates what is missing in it.
func loadSecrets(path string) (Secrets, error) {
	var s Secrets
	content, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return s, err
	}
	if err == nil {
		if err := json.Unmarshal(content, &s); err != nil {
			return s, fmt.Errorf("%s is damaged; `make reset` makes a new one: %w", path, err)
		}
	}
	if err := s.complete(); err != nil {
		return s, err
	}
	return s, writeJSON(path, s)
}

func (s *Secrets) complete() error {
	s.Postgres, s.API, s.App, s.Dapr = orEmpty(s.Postgres), orEmpty(s.API), orEmpty(s.App), orEmpty(s.Dapr)
	fill(s.Postgres, "postgres", secret)
	for _, service := range relational() {
		for _, role := range []string{ownerRole(service), appRole(service), readRole(service)} {
			fill(s.Postgres, role, secret)
		}
	}
	for _, app := range apps() {
		fill(s.API, app, secret)
		fill(s.App, app, secret)
	}
	if s.Redis == "" {
		s.Redis = secret()
	}
	fill(s.Dapr, "user-signing-key-kek", key256)
	fill(s.Dapr, "user-token-hmac", key256)
	fill(s.Dapr, "payment-stripe-api-key", func() string { return "sk_test_" + secret() })
	fill(s.Dapr, "payment-stripe-webhook-secret", func() string { return "whsec_" + secret() })
	if s.Accounts == nil {
		s.Accounts = map[string]Account{}
	}
	for _, role := range []string{"admin", "staff", "customer"} {
		if _, known := s.Accounts[role]; !known {
			s.Accounts[role] = Account{Email: role + "@caravan.example", Password: secret()[:20]}
		}
	}
	if s.Identity != "" {
		return nil
	}
	return s.newIdentity()
}

func (s *Secrets) newIdentity() error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	s.Identity = base64.StdEncoding.EncodeToString(der)
	return err
}

func orEmpty(m map[string]string) map[string]string {
	if m == nil {
		return map[string]string{}
	}
	return m
}

func fill(m map[string]string, name string, generate func() string) {
	if m[name] == "" {
		m[name] = generate()
	}
}

// secret is 192 bits that need no escaping in a URL, a file of settings or a shell.
func secret() string {
	random := make([]byte, 24)
	rand.Read(random) // never fails
	return hex.EncodeToString(random)
}

func key256() string {
	random := make([]byte, 32)
	rand.Read(random)
	return base64.StdEncoding.EncodeToString(random)
}

// writeJSON replaces a file of mode 0600 in one step, so that a reader never sees half of it.
func writeJSON(path string, v any) error {
	content, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	return replace(path, append(content, '\n'))
}

func replace(path string, content []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	draft := path + ".new"
	if err := os.WriteFile(draft, content, 0o600); err != nil {
		return err
	}
	return os.Rename(draft, path)
}
