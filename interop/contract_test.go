package interop

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/seed67206a74/parley/internal/nodetest"
	"github.com/stretchr/testify/require"
)

// The TypeScript of docs/contract compiles alone, and as a backend and a
// browser use it with socket.io in interop/node/contract.ts.
func TestContract_compilesAsTypeScript(t *testing.T) {
	modules := nodetest.Modules(t)
	compiler := exec.Command("node", filepath.Join(modules, "typescript", "bin", "tsc"),
		"--noEmit", "--strict", "--skipLibCheck", "--target", "es2022", "--module", "esnext", "--moduleResolution", "bundler", "contract.ts")
	compiler.Dir = filepath.Dir(modules)
	output, err := compiler.CombinedOutput()
	require.NoError(t, err, "%s", output)
}

func TestContract_isValidAsyncAPI(t *testing.T) {
	modules := nodetest.Modules(t)
	compiler := jsonschema.NewCompiler()
	official, err := compiler.Compile(filepath.Join(modules, "@asyncapi", "specs", "schemas", "3.0.0-without-$id.json"))
	require.NoError(t, err)
	file, err := os.Open(asyncAPI)
	require.NoError(t, err)
	defer file.Close()
	document, err := jsonschema.UnmarshalJSON(file)
	require.NoError(t, err)
	require.NoError(t, official.Validate(document))

	info := document.(map[string]any)["info"].(map[string]any)
	delete(info, "title")
	require.Error(t, official.Validate(document), "a document without a title is rejected")
}
