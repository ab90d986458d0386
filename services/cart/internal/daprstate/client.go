package daprstate

import (
	"context"
	"fmt"

	"github.com/dapr/go-sdk/client"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/propagation"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
)

// Dial makes a client of the sidecar's gRPC API on loopback. It does not wait
// for the sidecar: the app must listen before its sidecar is ready.
func Dial(address, apiToken string) (client.Client, func(), error) {
	conn, err := grpc.NewClient(address,
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithChainUnaryInterceptor(outgoing(apiToken)))
	if err != nil {
		return nil, nil, fmt.Errorf("sidecar client: %w", err)
	}
	client.SetLogger(nil) // it prints lines that are no log records
	return client.NewClientWithConnection(conn), func() { _ = conn.Close() }, nil
}

// outgoing adds the API token and the trace context. The client's own option
// for the token would drop the trace.
func outgoing(apiToken string) grpc.UnaryClientInterceptor {
	return func(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn,
		invoke grpc.UnaryInvoker, opts ...grpc.CallOption,
	) error {
		carrier := propagation.MapCarrier{}
		otel.GetTextMapPropagator().Inject(ctx, carrier)
		pairs := []string{"dapr-api-token", apiToken}
		for k, v := range carrier {
			pairs = append(pairs, k, v)
		}
		return invoke(metadata.AppendToOutgoingContext(ctx, pairs...), method, req, reply, cc, opts...)
	}
}
