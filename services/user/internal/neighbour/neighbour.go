// Package neighbour asks the services that keep data of people, through the
// service's own sidecar.
package neighbour

import (
	"context"
	"encoding/json"

	"github.com/google/uuid"
)

// Invoker is the part of a sidecar that this needs. It fails with a fault of
// kind Unavailable while the neighbour is away.
type Invoker interface {
	Invoke(ctx context.Context, app, path string, in, out any) error
}

// Client implements user.Neighbours.
type Client struct{ to Invoker }

// New makes a client.
func New(to Invoker) *Client { return &Client{to} }

// Export implements user.Neighbours.
func (c *Client) Export(ctx context.Context, app string, userID uuid.UUID) (json.RawMessage, error) {
	var answer struct {
		Data json.RawMessage `json:"data"`
	}
	in := map[string]uuid.UUID{"user_id": userID}
	if err := c.to.Invoke(ctx, app, "/internal/export", in, &answer); err != nil {
		return nil, err
	}
	if answer.Data == nil {
		answer.Data = json.RawMessage("null")
	}
	return answer.Data, nil
}
