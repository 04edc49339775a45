// Package collector tests chat/chatotel with a real OpenTelemetry Collector,
// whose file exporter writes the spans and metrics that it received. The test
// builds the collector from its modules, which takes minutes, so it needs the
// tag collector: make collector.
package collector
