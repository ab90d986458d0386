package provision

import (
	"context"
	"path/filepath"
	"runtime"
)

// The plugin's version is pinned like everything that is downloaded.
const copyDependencies = "org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies"

// jars fetches the dependencies of servers/<item>/pom.xml into a folder and verifies each of them, on every call.
func (c *Cache) jars(ctx context.Context, item, what string, options ...string) (string, error) {
	pom := c.recipe(item, "pom.xml")
	key, err := keyOf([]string{pom}, runtime.GOARCH)
	if err != nil {
		return "", err
	}
	dir, err := c.once(item+"-jars", key, what, func(dir string) error {
		// Maven's own store is not safe for two runs at once.
		unlock, err := c.lock("maven")
		if err != nil {
			return err
		}
		defer unlock()
		args := append([]string{"-q", "-B", "-f", pom, copyDependencies, "-DoutputDirectory=" + dir, "-DincludeScope=runtime"}, options...)
		return run(ctx, c.dir, nil, "mvn", args...)
	})
	if err != nil {
		return "", err
	}
	files, err := filepath.Glob(filepath.Join(dir, "*.jar"))
	if err != nil {
		return "", err
	}
	return dir, c.sums.verify(files)
}

// archives fetches the jars that hold PostgreSQL and Redis.
func (c *Cache) archives(ctx context.Context) (string, error) {
	platform := "linux-amd64"
	if runtime.GOARCH == "arm64" {
		platform = "linux-arm64v8"
	}
	return c.jars(ctx, "archives", "download PostgreSQL and Redis", "-DexcludeTransitive=true", "-Dpostgres.platform="+platform)
}
