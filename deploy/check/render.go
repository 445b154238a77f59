// Renders the chart's templates with Go's own template language where helm is not to be had: what helm adds to it is here only as far as
// the chart uses it. render.go CHART VALUES.json; values are JSON. Writes the manifests to standard output.
package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"text/template"
)

func toJSON(value interface{}) (string, error) {
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	err := encoder.Encode(value)
	return strings.TrimRight(out.String(), "\n"), err
}

// Maps and lists as blocks, since the chart puts them beside members of its own; all else as JSON, which is YAML.
func toYAML(value interface{}, indent string) (string, error) {
	var lines []string
	add := func(head string, item interface{}) error {
		text, err := toYAML(item, indent+"  ")
		switch container := item.(type) {
		case map[string]interface{}:
			if len(container) > 0 {
				text = "\n" + text
			}
		case []interface{}:
			if len(container) > 0 {
				text = "\n" + text
			}
		}
		lines = append(lines, indent+head+" "+text)
		return err
	}
	switch container := value.(type) {
	case map[string]interface{}:
		keys := make([]string, 0, len(container))
		for key := range container {
			keys = append(keys, key)
		}
		sort.Strings(keys)
		for _, key := range keys {
			if err := add(fmt.Sprintf("%q:", key), container[key]); err != nil {
				return "", err
			}
		}
	case []interface{}:
		for _, item := range container {
			if err := add("-", item); err != nil {
				return "", err
			}
		}
	}
	if len(lines) > 0 {
		return strings.Join(lines, "\n"), nil
	}
	return toJSON(value)
}

func integer(value interface{}) int {
	switch number := value.(type) {
	case float64:
		return int(number)
	case int:
		return number
	}
	panic(fmt.Sprintf("not a number: %v", value))
}

func main() {
	chart, values := os.Args[1], map[string]interface{}{}
	text, err := os.ReadFile(os.Args[2])
	check(err)
	check(json.Unmarshal(text, &values))
	root := template.New("chart").Option("missingkey=error")
	root.Funcs(template.FuncMap{
		"include": func(name string, data interface{}) (string, error) {
			var out bytes.Buffer
			err := root.ExecuteTemplate(&out, name, data)
			return out.String(), err
		},
		"nindent":    func(by int, text string) string { return "\n" + strings.Repeat(" ", by) + strings.ReplaceAll(text, "\n", "\n"+strings.Repeat(" ", by)) },
		"quote":      func(value interface{}) string { return fmt.Sprintf("%q", fmt.Sprint(value)) },
		"toYaml":     func(value interface{}) (string, error) { return toYAML(value, "") },
		"toJson":     toJSON,
		"sha256sum":  func(text string) string { return fmt.Sprintf("%x", sha256.Sum256([]byte(text))) },
		"trunc":      func(most int, text string) string { return text[:min(most, len(text))] },
		"trimSuffix": func(end string, text string) string { return strings.TrimSuffix(text, end) },
		"int":        integer,
		"add":        func(a interface{}, b interface{}) int { return integer(a) + integer(b) },
		"fail":       func(text string) (string, error) { return "", errors.New(text) },
	})
	files, err := filepath.Glob(filepath.Join(chart, "templates", "*"))
	check(err)
	sort.Strings(files)
	for _, file := range files {
		content, err := os.ReadFile(file)
		check(err)
		template.Must(root.New(filepath.Base(file)).Parse(string(content)))
	}
	data := map[string]interface{}{
		"Values":  values,
		"Release": map[string]interface{}{"Name": "test", "Namespace": "default", "Service": "Helm"},
		"Chart":   map[string]interface{}{"AppVersion": "0.1.0"},
	}
	for _, file := range files {
		if filepath.Ext(file) == ".yaml" {
			fmt.Println("---")
			check(root.ExecuteTemplate(os.Stdout, filepath.Base(file), data))
		}
	}
}

func min(a int, b int) int {
	if a < b {
		return a
	}
	return b
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
