package main

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"github.com/seed67206a74/parley/bus"
	"github.com/seed67206a74/parley/chat"
	"github.com/seed67206a74/parley/conn"
	"github.com/seed67206a74/parley/events"
	"github.com/seed67206a74/parley/internal/installed"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"
)

var (
	metricName = regexp.MustCompile(`\bparley_\w+`)
	labelsOf   = regexp.MustCompile(`by \(([^)]*)\)|\{([a-z]+)[!=~]+"`)
)

// exported returns the names that a scrape contains, and the names of the
// labels of each. Every metric with labels has one value.
func exported(t *testing.T) map[string][]string {
	t.Helper()
	c := newCollector()
	client, err := chat.New("http://localhost", chat.Config{NoJoin: true, Observers: []any{c}})
	require.NoError(t, err)
	defer client.Close()
	ctx := context.Background()
	c.OnState(nil, conn.State{})
	c.OnSlow(nil, bus.SlowEvent{})
	c.OnFirstToken(ctx, nil, chat.Question{}, 0)
	c.OnToken(ctx, nil, events.AIToken{Index: 1}, 0)
	c.OnAnswerEnd(ctx, nil, chat.AnswerEnd{Message: events.AIMessage{Usage: &events.Usage{}}, Err: errors.New("failed")})
	c.OnToolEnd(c.OnToolStart(ctx, nil, events.AIToolCall{}), nil, events.AIToolCall{}, nil, nil)
	c.OnDeliveryEnd(ctx, nil, chat.DeliveryEnd{})
	registry := prometheus.NewRegistry()
	require.NoError(t, registry.Register(c))
	families, err := registry.Gather()
	require.NoError(t, err)
	names := map[string][]string{}
	for _, family := range families {
		labels := []string{"job", "instance"} // of Prometheus
		for _, label := range family.GetMetric()[0].GetLabel() {
			labels = append(labels, label.GetName())
		}
		name := family.GetName()
		if family.GetType() == dto.MetricType_HISTOGRAM {
			names[name+"_sum"], names[name+"_count"] = labels, labels
			names[name+"_bucket"] = append([]string{"le"}, labels...)
			continue
		}
		names[name] = labels
	}
	return names
}

// check fails the test if an expression uses a name or label that is not
// exported. It returns the names.
func check(t *testing.T, exported map[string][]string, expression string) (used []string) {
	t.Helper()
	used = metricName.FindAllString(expression, -1)
	require.NotEmpty(t, used, expression)
	for _, name := range used {
		labels, ok := exported[name]
		if !assert.True(t, ok, "%s is not exported: %s", name, expression) {
			continue
		}
		for _, match := range labelsOf.FindAllStringSubmatch(expression, -1) {
			for label := range strings.SplitSeq(match[1]+match[2], ",") {
				assert.Contains(t, labels, strings.TrimSpace(label), expression)
			}
		}
	}
	return used
}

func readDashboard(t *testing.T) (dashboard grafana) {
	t.Helper()
	content, err := os.ReadFile("dashboard.json")
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(content, &dashboard))
	return dashboard
}

func TestDashboard_usesExportedMetrics(t *testing.T) {
	dashboard := readDashboard(t)
	names := exported(t)
	shown := map[string]bool{}
	for _, panel := range dashboard.Panels {
		require.NotEmpty(t, panel.Targets, panel.Title)
		for _, target := range panel.Targets {
			for _, name := range check(t, names, target.Expr) {
				shown[name] = true
			}
		}
	}
	for name := range names {
		if strings.HasSuffix(name, "_bucket") && !strings.Contains(name, "delivery") {
			assert.True(t, shown[name], "no panel shows %s", name)
		}
	}
}

func TestAlerts_useExportedMetrics(t *testing.T) {
	content, err := os.ReadFile("alerts.yml")
	require.NoError(t, err)
	var rules struct {
		Groups []struct {
			Rules []struct {
				Alert, Expr string
				Annotations map[string]string
			}
		}
	}
	require.NoError(t, yaml.Unmarshal(content, &rules))
	names := exported(t)
	require.NotEmpty(t, rules.Groups)
	for _, rule := range rules.Groups[0].Rules {
		check(t, names, rule.Expr)
		assert.NotEmpty(t, rule.Annotations["summary"], rule.Alert)
	}
}

// Prometheus itself reads the rules.
func TestAlerts_passPromtool(t *testing.T) {
	promtool, err := exec.LookPath("promtool")
	installed.Need(t, err, "make prometheus")
	out, err := exec.Command(promtool, "check", "rules", "alerts.yml").CombinedOutput()
	assert.NoError(t, err, string(out))
}
