package auth

import (
	"context"
	"encoding/json"

	"github.com/google/uuid"
)

// Invoker is the part of a sidecar that asking User needs.
type Invoker interface {
	Invoke(ctx context.Context, app, path string, in, out any) error
	Get(ctx context.Context, app, path string, out any) error
}

type overSidecar struct{ to Invoker }

// FromSidecar asks User through the service's sidecar.
func FromSidecar(to Invoker) KeySource { return overSidecar{to} }

func (s overSidecar) JWKS(ctx context.Context) (json.RawMessage, error) {
	var raw json.RawMessage
	err := s.to.Get(ctx, "user", "/.well-known/jwks.json", &raw)
	return raw, err
}

func (s overSidecar) RevokedSessions(ctx context.Context) ([]uuid.UUID, error) {
	var answer struct {
		SessionIDs []uuid.UUID `json:"session_ids"`
	}
	err := s.to.Invoke(ctx, "user", "/internal/sessions/revoked", struct{}{}, &answer)
	return answer.SessionIDs, err
}
