package chatnats

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/nats-io/nats.go/jetstream"
)

// A ConfigError reports a stream, bucket or consumer that exists with another
// configuration than this program needs.
type ConfigError struct {
	Name        string   // of the stream, bucket or consumer, such as "stream parley"
	Differences []string // such as "AllowDirect is false, not true"
}

func (e *ConfigError) Error() string {
	return fmt.Sprintf("chatnats: %s differs: %s", e.Name, strings.Join(e.Differences, "; "))
}

// differences collects the fields that differ.
type differences []string

// compare compares a field with the value that it must have.
func (d *differences) compare(field string, is, want any) {
	if !reflect.DeepEqual(is, want) {
		*d = append(*d, fmt.Sprintf("%s is %v, not %v", field, is, want))
	}
}

// requested compares a field with the value of a Config, unless that is zero.
func (d *differences) requested(field string, is, want any) {
	if !reflect.ValueOf(want).IsZero() {
		d.compare(field, is, want)
	}
}

func (d differences) err(name string) error {
	if len(d) == 0 {
		return nil
	}
	return &ConfigError{name, d}
}

// checkStream checks a stream that exists, and returns the number of its
// partitions.
func checkStream(is jetstream.StreamConfig, cfg Config) (partitions int, err error) {
	need := cfg.StreamConfig()
	var d differences
	d.compare("Subjects", is.Subjects, need.Subjects)
	var transformed string
	if is.SubjectTransform != nil {
		transformed = is.SubjectTransform.Destination
		_, _ = fmt.Sscanf(transformed, strings.Replace(transform, "%s", need.Name, 1), &partitions)
		if source := is.SubjectTransform.Source; source != "" && source != ">" {
			d.compare("SubjectTransform.Source", source, need.SubjectTransform.Source)
		}
	}
	if partitions < 1 || transformed != fmt.Sprintf(transform, need.Name, partitions) {
		d.compare("SubjectTransform.Destination", transformed, need.SubjectTransform.Destination)
	}
	d.requested("Partitions", partitions, cfg.Partitions)
	d.compare("Retention", is.Retention, jetstream.LimitsPolicy)
	d.compare("Discard", is.Discard, jetstream.DiscardOld)
	d.compare("MaxMsgsPerSubject", max(is.MaxMsgsPerSubject, 0), int64(0))
	d.compare("AllowDirect", is.AllowDirect, true)
	d.compare("AllowBatchPublish", is.AllowBatchPublish, true)
	d.compare("NoAck", is.NoAck, false)
	d.compare("Sealed", is.Sealed, false)
	d.requested("Replicas", is.Replicas, cfg.Replicas)
	d.requested("MaxAge", is.MaxAge, cfg.MaxAge)
	d.requested("MaxBytes", max(is.MaxBytes, 0), cfg.MaxBytes)
	if cfg.DuplicateWindow != 0 {
		d.compare("Duplicates", is.Duplicates, need.Duplicates)
	}
	d.requested("Storage", is.Storage, cfg.Storage)
	d.requested("Compression", is.Compression, cfg.Compression)
	d.placement(is.Placement, cfg.Placement)
	return partitions, d.err("stream " + need.Name)
}

// checkBucket checks the stream of a bucket that exists.
func checkBucket(is jetstream.StreamConfig, cfg Config) error {
	var d differences
	d.compare("AllowMsgTTL", is.AllowMsgTTL, true)
	if is.SubjectDeleteMarkerTTL <= 0 {
		d = append(d, fmt.Sprintf("LimitMarkerTTL is %v, not above zero", is.SubjectDeleteMarkerTTL))
	}
	d.compare("TTL", is.MaxAge, cfg.BucketConfig().TTL)
	d.compare("AllowDirect", is.AllowDirect, true)
	d.requested("Replicas", is.Replicas, cfg.Replicas)
	d.requested("Storage", is.Storage, cfg.Storage)
	if cfg.BucketConfig().Compression {
		d.compare("Compression", is.Compression, jetstream.S2Compression)
	}
	d.placement(is.Placement, cfg.Placement)
	return d.err("bucket " + cfg.BucketConfig().Bucket)
}

func (d *differences) placement(is, want *jetstream.Placement) {
	if want == nil {
		return
	}
	if is == nil {
		is = &jetstream.Placement{}
	}
	d.compare("Placement", *is, *want)
}

// checkConsumer checks a durable consumer that exists.
func checkConsumer(is, need jetstream.ConsumerConfig) error {
	var d differences
	d.compare("FilterSubjects", filtersOf(is), filtersOf(need))
	d.compare("AckPolicy", is.AckPolicy, need.AckPolicy)
	d.compare("MaxAckPending", is.MaxAckPending, need.MaxAckPending)
	d.compare("PriorityPolicy", is.PriorityPolicy, need.PriorityPolicy)
	d.compare("PriorityGroups", is.PriorityGroups, need.PriorityGroups)
	return d.err("consumer " + need.Durable)
}

// filtersOf returns the sorted filters of a consumer. The server stores a
// single filter in another field.
func filtersOf(c jetstream.ConsumerConfig) []string {
	filters := slices.Clone(c.FilterSubjects)
	if c.FilterSubject != "" {
		filters = append(filters, c.FilterSubject)
	}
	slices.Sort(filters)
	return filters
}
