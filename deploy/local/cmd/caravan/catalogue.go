package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"

	"github.com/caravan-shop/caravan/deploy/local/catalogue"
	"github.com/caravan-shop/caravan/deploy/local/progress"
	"github.com/caravan-shop/caravan/deploy/local/stack"
)

// importCatalogue fills an empty shop with the demo catalogue, through the same public route that a merchant uses.
func importCatalogue(ctx context.Context, d stack.Description, out *progress.Printer) error {
	var products struct {
		Items []json.RawMessage `json:"items"`
	}
	if err := ask(ctx, http.MethodGet, d.Edge+"/v1.0/invoke/product/method/v1/products?limit=1", nil, nil, &products); err != nil {
		return fmt.Errorf("look at the catalogue: %w", err)
	}
	if len(products.Items) > 0 {
		return nil
	}
	return out.Step("import the demo catalogue", func() error {
		var session struct {
			AccessToken string `json:"access_token"`
		}
		login, err := json.Marshal(d.Accounts["staff"])
		if err != nil {
			return err
		}
		headers := http.Header{"Content-Type": {"application/json"}}
		if err := ask(ctx, http.MethodPost, d.Edge+"/v1.0/invoke/user/method/v1/sessions", bytes.NewReader(login), headers, &session); err != nil {
			return fmt.Errorf("sign in as staff: %w", err)
		}
		return upload(ctx, d.Edge, session.AccessToken, out)
	})
}

func upload(ctx context.Context, edge, token string, out *progress.Printer) error {
	currency := os.Getenv("SHOP_CURRENCY")
	if currency == "" {
		currency = "GBP"
	}
	// A pipe makes the request a chunked one, which passes the sidecars without being held in memory.
	reader, writer := io.Pipe()
	go func() { writer.CloseWithError(catalogue.WriteNDJSON(writer, currency)) }()
	var result struct {
		Created int `json:"created"`
		Failed  int `json:"failed"`
	}
	headers := http.Header{"Content-Type": {"application/x-ndjson"}, "Authorization": {"Bearer " + token}}
	if err := ask(ctx, http.MethodPost, edge+"/v1.0/invoke/product/method/v1/products/import", reader, headers, &result); err != nil {
		return fmt.Errorf("import: %w", err)
	}
	if result.Failed > 0 {
		return fmt.Errorf("import: %d lines failed", result.Failed)
	}
	out.Say("%d products are in the shop", result.Created)
	return nil
}

// ask makes one call and decodes its answer; any status but a 2xx is an error.
func ask(ctx context.Context, method, url string, body io.Reader, headers http.Header, answer any) error {
	request, err := http.NewRequestWithContext(ctx, method, url, body)
	if err != nil {
		return err
	}
	for name, values := range headers {
		request.Header[name] = values
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	content, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	if response.StatusCode/100 != 2 {
		return fmt.Errorf("%s: %s", response.Status, content)
	}
	return json.Unmarshal(content, answer)
}
