package stack

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// containerSecrets are what only the containers need, besides the native stack's own secrets.
type containerSecrets struct {
	Secrets
	Passwords map[string]string `json:"server_passwords"`
	Authority authority         `json:"certificate_authority"`
}

// WriteContainerFiles leaves in dir what docker-compose.yml takes from outside: generated passwords and tokens, identity
// tokens, and the authority that sentry works with. What is there already is kept, since the volumes know it.
//
// Files that containers read are readable by anyone who reaches them: the processes inside have users of their own. The
// folder around them is not, so on this machine nobody else reaches them.
func WriteContainerFiles(dir string, now time.Time) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	if err := os.Chmod(dir, 0o700); err != nil {
		return err
	}
	s, err := loadContainerSecrets(filepath.Join(dir, "secrets.json"), now)
	if err != nil {
		return err
	}
	if err := writeIdentities(filepath.Join(dir, "identity"), s.Identity, now); err != nil {
		return fmt.Errorf("identity tokens: %w", err)
	}
	if err := s.Authority.write(filepath.Join(dir, "certs")); err != nil {
		return err
	}
	for app, names := range secretsOf() {
		file := map[string]string{}
		for _, name := range names {
			file[name] = s.Dapr[name]
		}
		if err := writeJSON(filepath.Join(dir, "secrets", app+".json"), file); err != nil {
			return err
		}
	}
	if err := replace(filepath.Join(dir, "mongo.key"), []byte(s.Passwords["mongo_key"])); err != nil {
		return err
	}
	if err := openFiles(dir, "identity", "certs", "secrets", "mongo.key"); err != nil {
		return err
	}
	return replace(filepath.Join(dir, "env"), []byte(s.environmentFile()))
}

func loadContainerSecrets(path string, now time.Time) (containerSecrets, error) {
	var s containerSecrets
	content, err := os.ReadFile(path)
	if err == nil {
		err = json.Unmarshal(content, &s)
	}
	if err != nil && !os.IsNotExist(err) {
		return s, fmt.Errorf("%s: %w", path, err)
	}
	if err := s.complete(); err != nil {
		return s, err
	}
	s.Passwords = orEmpty(s.Passwords)
	for _, name := range []string{"mongo_root", "mongo_cart", "mongo_cart_reader", "mongo_key", "elastic"} {
		fill(s.Passwords, name, secret)
	}
	if s.Authority.Root == "" {
		if s.Authority, err = newAuthority(now); err != nil {
			return s, fmt.Errorf("certificate authority: %w", err)
		}
	}
	return s, writeJSON(path, s)
}

// environmentFile is the file that compose fills its variables from.
func (s containerSecrets) environmentFile() string {
	var text strings.Builder
	set := func(name, value string) { fmt.Fprintf(&text, "%s='%s'\n", name, value) }
	set("POSTGRES_PASSWORD", s.Postgres["postgres"])
	for _, service := range relational() {
		for _, role := range []string{ownerRole(service), appRole(service), readRole(service)} {
			set(strings.ToUpper(role)+"_PASSWORD", s.Postgres[role])
		}
	}
	for _, app := range apps() {
		set(strings.ToUpper(app)+"_API_TOKEN", s.API[app])
		set(strings.ToUpper(app)+"_APP_TOKEN", s.App[app])
	}
	set("REDIS_PASSWORD", s.Redis)
	set("MONGO_ROOT_PASSWORD", s.Passwords["mongo_root"])
	set("MONGO_CART_PASSWORD", s.Passwords["mongo_cart"])
	set("MONGO_CART_READER_PASSWORD", s.Passwords["mongo_cart_reader"])
	set("ELASTIC_PASSWORD", s.Passwords["elastic"])
	set("SANDBOX_API_KEY", s.Dapr["payment-stripe-api-key"])
	set("SANDBOX_WEBHOOK_SECRET", s.Dapr["payment-stripe-webhook-secret"])
	set("DEMO_ACCOUNTS", demoAccounts(s.Accounts))
	set("TRUST_ANCHORS", s.Authority.Root)
	return text.String()
}

// openFiles lets any user read files and pass folders below dir.
func openFiles(dir string, names ...string) error {
	for _, name := range names {
		err := filepath.WalkDir(filepath.Join(dir, name), func(path string, entry os.DirEntry, err error) error {
			if err != nil {
				return err
			}
			if entry.IsDir() {
				return os.Chmod(path, 0o755)
			}
			return os.Chmod(path, 0o644)
		})
		if err != nil {
			return err
		}
	}
	return nil
}
