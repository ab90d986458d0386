package provision

import (
	"archive/zip"
	"context"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// JavaServer is a server that runs from jars.
type JavaServer struct {
	// ClassPath lists the jars; a shared archive needs them in this very order.
	ClassPath string
	// Archive is where the class-data archive of this Java runtime lies, whether it exists yet or not.
	Archive string
}

// Options are the JVM options for the class-data archive, when there is one.
func (j JavaServer) Options() []string {
	if !exists(j.Archive) {
		return nil
	}
	return []string{"-XX:SharedArchiveFile=" + j.Archive, "-Xshare:auto", "-Xlog:cds=off", "-Xlog:cds+dynamic=off"}
}

// Kafka fetches the broker.
func (c *Cache) Kafka(ctx context.Context) (JavaServer, error) {
	dir, err := c.jars(ctx, "kafka", "download Kafka")
	if err != nil {
		return JavaServer{}, err
	}
	return c.javaServer(ctx, "kafka", dir, nil)
}

// Elasticsearch fetches the server library and compiles the node around it.
func (c *Cache) Elasticsearch(ctx context.Context) (JavaServer, error) {
	lib, err := c.jars(ctx, "elasticsearch", "download Elasticsearch")
	if err != nil {
		return JavaServer{}, err
	}
	sources, err := javaSources(c.recipe("elasticsearch", "src"))
	if err != nil {
		return JavaServer{}, err
	}
	key, err := keyOf(sources, lib)
	if err != nil {
		return JavaServer{}, err
	}
	dir, err := c.once("elasticsearch-node", key, "compile the Elasticsearch node", func(dir string) error {
		return compile(ctx, dir, lib, sources)
	})
	if err != nil {
		return JavaServer{}, err
	}
	return c.javaServer(ctx, "elasticsearch", lib, []string{filepath.Join(dir, "node.jar")})
}

// javaServer lists the class path: the given jars first, then those of the folder in the order of their names.
func (c *Cache) javaServer(ctx context.Context, item, lib string, first []string) (JavaServer, error) {
	jars, err := filepath.Glob(filepath.Join(lib, "*.jar"))
	if err != nil {
		return JavaServer{}, err
	}
	path := strings.Join(append(first, jars...), ":")
	version, err := exec.CommandContext(ctx, "java", "-version").CombinedOutput()
	if err != nil {
		return JavaServer{}, err
	}
	key, err := keyOf(nil, path, string(version))
	if err != nil {
		return JavaServer{}, err
	}
	return JavaServer{ClassPath: path, Archive: filepath.Join(c.dir, item+"-classes-"+key+".jsa")}, nil
}

func javaSources(dir string) ([]string, error) {
	var files []string
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(path, ".java") {
			files = append(files, path)
		}
		return err
	})
	return files, err
}

// compile makes node.jar: the JVM shares classes from jars only.
func compile(ctx context.Context, dir, lib string, sources []string) error {
	classes := filepath.Join(dir, "classes")
	args := append([]string{"--release", "17", "-nowarn", "-cp", filepath.Join(lib, "*"), "-d", classes}, sources...)
	if err := run(ctx, dir, nil, "javac", args...); err != nil {
		return err
	}
	jar, err := os.Create(filepath.Join(dir, "node.jar"))
	if err != nil {
		return err
	}
	defer func() { _ = jar.Close() }()
	archive := zip.NewWriter(jar)
	if err := archive.AddFS(os.DirFS(classes)); err != nil {
		return err
	}
	return archive.Close()
}

// Training runs fill once for a server without a class-data archive; fill starts the server with the option it is given
// and stops it cleanly, upon which the JVM writes the archive. It halves the time of later starts.
func (c *Cache) Training(item string, server JavaServer, fill func(option string) error) error {
	if exists(server.Archive) {
		return nil
	}
	unlock, err := c.lock(item + "-classes")
	if err != nil {
		return err
	}
	defer unlock()
	if exists(server.Archive) {
		return nil
	}
	draft := server.Archive + ".part"
	_ = os.Remove(draft)
	err = c.out.Step("record the classes of "+item+" for faster starts", func() error { return fill("-XX:ArchiveClassesAtExit=" + draft) })
	if err != nil {
		return err
	}
	// A machine under load may stop the JVM before it has written: the server starts without, only slower.
	if !exists(draft) {
		c.out.Say("%s recorded no classes; the next start tries again", item)
		return nil
	}
	return os.Rename(draft, server.Archive)
}
