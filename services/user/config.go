package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/caravan-shop/caravan/services/internal/service"
	"github.com/caravan-shop/caravan/services/user/internal/user"
)

// Config is what the service reads from the environment. Secrets come from the
// secret store instead.
type Config struct {
	service.Config
	DatabaseURL string `env:"DATABASE_URL,required,notEmpty"`
	RedisURL    string `env:"REDIS_URL,required,notEmpty"`

	AccessTTL       time.Duration `env:"ACCESS_TTL" envDefault:"10m"`
	RefreshTTL      time.Duration `env:"REFRESH_TTL" envDefault:"720h"`
	SessionMax      time.Duration `env:"SESSION_MAX" envDefault:"2160h"`
	RefreshWindow   time.Duration `env:"REFRESH_WINDOW" envDefault:"10s"`
	ResetTTL        time.Duration `env:"RESET_TTL" envDefault:"30m"`
	VerificationTTL time.Duration `env:"VERIFICATION_TTL" envDefault:"24h"`

	KeyMaxAge time.Duration `env:"KEY_MAX_AGE" envDefault:"720h"`
	// KeyLead must be longer than the other services keep the key set.
	KeyLead time.Duration `env:"KEY_LEAD" envDefault:"6m"`

	// HashWorkers is how many passwords are hashed at once; each takes 19 MiB.
	HashWorkers int `env:"HASH_WORKERS" envDefault:"2"`
	HashWaiting int `env:"HASH_WAITING" envDefault:"64"`

	PairFailures    int `env:"SIGN_IN_PAIR_FAILURES" envDefault:"10"`
	AccountFailures int `env:"SIGN_IN_ACCOUNT_FAILURES" envDefault:"100"`
	FactorFailures  int `env:"SECOND_FACTOR_FAILURES" envDefault:"10"`
	ResetRequests   int `env:"RESET_REQUESTS" envDefault:"5"`
	ResetsByAddress int `env:"RESETS_BY_ADDRESS" envDefault:"100"`
	// VerificationRequests is for one account: mails to addresses that are not proven yet.
	VerificationRequests int `env:"VERIFICATION_REQUESTS" envDefault:"5"`

	// FactorRoles are the roles that take a second factor.
	FactorRoles roles `env:"SECOND_FACTOR_ROLES"`

	DemoAccounts demoAccounts `env:"DEMO_ACCOUNTS"`
}

type demoAccounts []user.DemoAccount

// UnmarshalText reads the JSON of DEMO_ACCOUNTS. Its error does not repeat the
// text, which holds passwords.
func (d *demoAccounts) UnmarshalText(text []byte) error {
	if len(text) == 0 {
		return nil
	}
	if json.Unmarshal(text, (*[]user.DemoAccount)(d)) != nil {
		return fmt.Errorf("must be a JSON list of accounts")
	}
	return nil
}

type roles []string

// UnmarshalText reads a list like "staff,admin". A role that is not known is an
// error: with a slip of the pen nothing would be guarded.
func (rs *roles) UnmarshalText(text []byte) error {
	for name := range strings.FieldsFuncSeq(string(text), func(r rune) bool { return r == ',' || r == ' ' }) {
		if name != user.RoleCustomer && name != user.RoleStaff && name != user.RoleAdmin {
			return fmt.Errorf("must be a list of customer, staff and admin")
		}
		*rs = append(*rs, name)
	}
	return nil
}

// keyGrace outlives every token of a key that was replaced.
func (c Config) keyGrace() time.Duration { return c.AccessTTL + 5*time.Minute }

func (c Config) policy() user.Policy {
	return user.Policy{
		AccessTTL: c.AccessTTL, RefreshTTL: c.RefreshTTL, SessionMax: c.SessionMax, RefreshWindow: c.RefreshWindow,
		ResetTTL: c.ResetTTL, VerificationTTL: c.VerificationTTL,
		PairFailures:         user.Quota{Name: "sign-in-pair", Burst: c.PairFailures, Per: 15 * time.Minute},
		AccountFailures:      user.Quota{Name: "sign-in-account", Burst: c.AccountFailures, Per: time.Hour},
		FactorFailures:       user.Quota{Name: "second-factor", Burst: c.FactorFailures, Per: time.Hour},
		ResetRequests:        user.Quota{Name: "reset-account", Burst: c.ResetRequests, Per: time.Hour},
		ResetsByAddress:      user.Quota{Name: "reset-address", Burst: c.ResetsByAddress, Per: 15 * time.Minute},
		VerificationRequests: user.Quota{Name: "verification-account", Burst: c.VerificationRequests, Per: time.Hour},
		FactorRoles:          c.FactorRoles,
	}
}

// migration is what `user migrate` reads instead.
type migration struct {
	URL string `env:"MIGRATION_DATABASE_URL,required,notEmpty"`
}
