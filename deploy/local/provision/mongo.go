package provision

import (
	"context"
	"path/filepath"
	"runtime"
)

// Mongo installs the Mongo-wire server into a virtual environment and answers its Python interpreter.
func (c *Cache) Mongo(ctx context.Context) (string, error) {
	requirements := c.recipe("mongo", "requirements.txt")
	key, err := keyOf([]string{requirements}, runtime.GOARCH)
	if err != nil {
		return "", err
	}
	wheels, err := c.once("mongo-wheels", key, "download the Mongo-wire server", func(dir string) error {
		return run(ctx, dir, nil, "python3", "-m", "pip", "download", "-q", "--disable-pip-version-check", "--only-binary=:all:", "-d", dir, "-r", requirements)
	})
	if err != nil {
		return "", err
	}
	files, err := filepath.Glob(filepath.Join(wheels, "*.whl"))
	if err != nil {
		return "", err
	}
	if err := c.sums.verify(files); err != nil {
		return "", err
	}
	// A virtual environment knows its own path, so it is made in place: a file that is written last marks it whole.
	venv := filepath.Join(c.dir, "mongo-venv-"+key)
	_, err = c.once("mongo-ready", key, "install the Mongo-wire server", func(string) error {
		if err := run(ctx, c.dir, nil, "python3", "-m", "venv", "--clear", venv); err != nil {
			return err
		}
		return run(ctx, c.dir, nil, filepath.Join(venv, "bin/pip"), "install", "-q", "--disable-pip-version-check", "--no-index", "--find-links", wheels, "-r", requirements)
	})
	return filepath.Join(venv, "bin/python"), err
}
