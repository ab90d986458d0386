package user

import (
	"io"
	"time"

	"github.com/google/uuid"
)

// Policy is how long things last and how often they may fail.
type Policy struct {
	AccessTTL       time.Duration
	RefreshTTL      time.Duration // a session ends when unused for so long
	SessionMax      time.Duration // and after this in any case
	RefreshWindow   time.Duration // in which a used refresh token may be sent again
	ResetTTL        time.Duration
	VerificationTTL time.Duration
	PairFailures    Quota // failed sign-ins of one account from one address
	AccountFailures Quota // failed sign-ins of one account from anywhere
	FactorFailures  Quota // wrong codes of one account's second factor, whose password was right
	ResetRequests   Quota // resets asked for one account
	ResetsByAddress Quota // resets asked from one address
	// VerificationRequests are mails that an account may have sent to verify addresses.
	VerificationRequests Quota
	// FactorRoles are in the tokens of accounts with a second factor alone.
	FactorRoles []string
}

// Parts is what the use cases work with.
type Parts struct {
	Tx             Transactor
	Accounts       Accounts
	Administration Administration
	Sessions       Sessions
	Resets         Resets
	Verifications  Verifications
	Addresses      Addresses
	Factors        Factors
	Sealer         Sealer
	Records        Records
	Hasher         Hasher
	Breached       func(password string) bool
	Formats        Formats
	Limiter        Limiter
	Issuer         Issuer
	Neighbours     Neighbours
	Copies         Copies
	Secret         Secret
	Policy         Policy
	Now            func() time.Time
	NewID          func() uuid.UUID
	Random         io.Reader
}

// Service is the use cases. Safe for concurrent use.
type Service struct{ Parts }

// New makes the service of its parts.
func New(p Parts) *Service { return &Service{Parts: p} }

// now is the present to the microsecond that PostgreSQL keeps.
func (s *Service) now() time.Time { return s.Now().UTC().Truncate(time.Microsecond) }

// Client is where a request comes from.
type Client struct {
	Address string
	Device  string
}
