package tests

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"sync"

	"github.com/caravan-shop/caravan/tests/openapi"
	"github.com/caravan-shop/caravan/tests/shop"
)

// judge holds every answer that the suite gets through the edge against the OpenAPI document of its service.
type judge struct {
	documents *openapi.Documents

	mu     sync.Mutex
	judged int
	faults map[string]int // how often each was seen
}

func newJudge() (*judge, error) {
	documents, err := openapi.Load("../services", []string{"user", "product", "cart", "order", "payment", "notification"})
	return &judge{documents: documents, faults: map[string]int{}}, err
}

func (j *judge) inspect(method, app, path string, r *shop.Response) {
	err := j.documents.Check(openapi.Answer{
		Method: method, App: app, Path: path, Status: r.Status, Media: r.Header.Get("Content-Type"), Body: r.Body,
	})
	j.mu.Lock()
	defer j.mu.Unlock()
	j.judged++
	if err != nil {
		j.faults[fmt.Sprintf("%s %s%s %d: %v", method, app, j.documents.Template(app, path), r.Status, err)]++
	}
}

// verdict fails if any answer was not as its document says.
func (j *judge) verdict() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	fmt.Fprintf(os.Stderr, "openapi: %d answers held against the documents of their services, %d kinds of difference\n", j.judged, len(j.faults))
	var all []error
	for _, fault := range slices.Sorted(maps.Keys(j.faults)) {
		all = append(all, fmt.Errorf("openapi: %s (%d times)", fault, j.faults[fault]))
	}
	return errors.Join(all...)
}
