// Command containerlint checks a Dockerfile by BuildKit's own rules and a compose
// file by the Compose specification, without an engine of Docker:
//
//	containerlint DOCKERFILE COMPOSE_FILE
//
// It is a module of its own, so that these two libraries are no dependencies of
// the program, and it knows nothing of it. It exists because no tool does this
// without an engine: `docker build --check` and `docker compose config` need one,
// and hadolint is neither a Debian package nor a Go module (looked for in 2026-11).
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"regexp"
	"runtime"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/moby/buildkit/client/llb"
	"github.com/moby/buildkit/client/llb/sourceresolver"
	"github.com/moby/buildkit/frontend/dockerfile/dockerfile2llb"
	"github.com/moby/buildkit/frontend/dockerui"
	"github.com/opencontainers/go-digest"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"
)

func main() {
	const arguments = 3
	if len(os.Args) != arguments {
		fmt.Fprintln(os.Stderr, "usage: containerlint DOCKERFILE COMPOSE_FILE")
		os.Exit(2)
	}
	ctx := context.Background()
	if err := errors.Join(lintDockerfile(ctx, os.Args[1]), checkCompose(ctx, os.Args[2])); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// lintDockerfile fails on any warning: what `docker build --check` does.
func lintDockerfile(ctx context.Context, path string) error {
	text, err := os.ReadFile(path) //nolint:gosec // the caller names the file
	if err != nil {
		return err
	}
	source := llb.NewSourceMap(nil, path, "Dockerfile", text)
	source.Definition = &llb.Definition{}
	results, err := dockerfile2llb.DockerfileLint(ctx, text, dockerfile2llb.ConvertOpt{
		Config:       dockerui.Config{BuildPlatforms: []ocispecs.Platform{{OS: "linux", Architecture: runtime.GOARCH}}},
		SourceMap:    source,
		MetaResolver: anyImage{},
	})
	if err != nil {
		return fmt.Errorf("lint %s: %w", path, err)
	}
	var problems []error
	for _, w := range results.Warnings {
		line := int32(0)
		if len(w.Location.GetRanges()) > 0 {
			line = w.Location.GetRanges()[0].GetStart().GetLine()
		}
		problems = append(problems, fmt.Errorf("%s:%d: %s: %s", path, line, w.RuleName, w.Detail))
	}
	if results.Error != nil {
		problems = append(problems, fmt.Errorf("%s: %s", path, results.Error.Message))
	}
	return errors.Join(problems...)
}

// anyImage stands in for a registry: the rules need no more of a base image than
// its platform.
type anyImage struct{}

// ResolveImageConfig implements llb.ImageMetaResolver.
func (anyImage) ResolveImageConfig(_ context.Context, ref string, opt sourceresolver.Opt) (string, digest.Digest, []byte, error) {
	image := ocispecs.Image{Platform: ocispecs.Platform{OS: "linux", Architecture: runtime.GOARCH}}
	if opt.ImageOpt != nil && opt.ImageOpt.Platform != nil {
		image.Platform = *opt.ImageOpt.Platform
	}
	config, err := json.Marshal(image)
	return ref, digest.FromBytes(config), config, err
}

// checkCompose loads the file as `docker compose config` does, without the files of
// variables that it names. podman-compose does not know a default that is empty:
// it passes the whole expression on, which would be a secret long enough to be taken.
func checkCompose(ctx context.Context, path string) error {
	text, err := os.ReadFile(path) //nolint:gosec // the caller names the file
	if err != nil {
		return err
	}
	if found := regexp.MustCompile(`\$\{\w+:?-\}`).Find(text); found != nil {
		return fmt.Errorf("%s: %s: name the variable without a value", path, found)
	}
	options, err := cli.NewProjectOptions([]string{path}, cli.WithOsEnv, cli.WithoutEnvironmentResolution)
	if err != nil {
		return err
	}
	if _, err := options.LoadProject(ctx); err != nil {
		return fmt.Errorf("load %s: %w", path, err)
	}
	return nil
}
