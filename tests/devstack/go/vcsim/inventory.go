package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"time"
)

// optional tells a field that is missing from one that is null.
type optional[T any] struct {
	Set, Null bool
	Value     T
}

func (o *optional[T]) UnmarshalJSON(data []byte) error {
	o.Set = true
	if string(data) == "null" {
		o.Null = true
		return nil
	}
	return decodeStrict(bytes.NewReader(data), &o.Value)
}

// pointer is nil for null.
func (o optional[T]) pointer(fallback *T) *T {
	switch {
	case !o.Set:
		return fallback
	case o.Null:
		return nil
	default:
		return &o.Value
	}
}

func (o optional[T]) or(fallback T) T {
	if !o.Set || o.Null {
		return fallback
	}
	return o.Value
}

// inventorySpec is the inventory file. Everything may be missing: {} is one datacenter
// DC0 with one cluster C0 of three hosts and without datastores; a datacenter that names
// hosts outside a cluster gets no cluster unasked. Unknown keys are refused. References are
// numbered in the order of the file.
//
//	{"datacenters": [{
//	  "name": "DC0",
//	  "clusters": [
//	    {"name": "C0", "hosts": 2},
//	    {"name": "C1", "hosts": [{"name": "esx-1", "maintenance": true, "connectionState": "notResponding"}]}],
//	  "hosts": [{"name": "alone"}],
//	  "datastores": [{"name": "gold", "clusters": ["C0"]}, {
//	    "name": "silver", "type": "VMFS",
//	    "capacity": 1000, "free": 900, "uncommitted": 7, "accessible": true, "maintenanceMode": "normal",
//	    "url": "ds:///vmfs/volumes/1a2b/", "maxVirtualDiskCapacity": 500, "timestamp": "2026-01-02T03:04:05Z",
//	    "thinProvisioning": true, "multipleHostAccess": true, "withheld": ["capability"],
//	    "mounts": [{"host": "esx-1", "accessMode": "readOnly", "mounted": true, "accessible": false,
//	                "inaccessibleReason": "AllPathsDown_Start"}]}]}]}
type inventorySpec struct {
	Datacenters []datacenterSpec `json:"datacenters"`
}

type datacenterSpec struct {
	Name     string        `json:"name"`
	Clusters []clusterSpec `json:"clusters"`
	// Hosts outside any cluster, each in a ComputeResource of its own.
	Hosts      hostList        `json:"hosts"`
	Datastores []datastoreSpec `json:"datastores"`
}

type clusterSpec struct {
	Name  string             `json:"name"`
	Hosts optional[hostList] `json:"hosts"` // missing means three
}

// hostList is a list of hosts, or a number of them; those, and hosts without a name,
// are named after where they are: DC0_C0_H0, or DC0_H0 outside a cluster.
type hostList []hostSpec

func (l *hostList) UnmarshalJSON(data []byte) error {
	if string(data) == "null" {
		return nil
	}
	var n int
	if json.Unmarshal(data, &n) != nil {
		return decodeStrict(bytes.NewReader(data), (*[]hostSpec)(l))
	}
	if n < 0 {
		return fmt.Errorf("%d hosts", n)
	}
	*l = make(hostList, n)
	return nil
}

type hostSpec struct {
	Name string `json:"name"` // unique in the whole file
	hostState
}

// hostState is what can also change later; missing means connected and not in maintenance.
type hostState struct {
	Maintenance     optional[bool]   `json:"maintenance"`
	ConnectionState optional[string] `json:"connectionState"`
}

type datastoreSpec struct {
	Name string          `json:"name"`
	Type string          `json:"type"` // missing means VMFS
	Free optional[int64] `json:"free"` // missing means all of the capacity
	// Clusters all of whose hosts mount it; missing means every cluster of the
	// datacenter. Other hosts, or other ways to mount it: see Mounts.
	Clusters optional[[]string] `json:"clusters"`
	datastoreState
}

// datastoreState is what can also change later. Null means that the API leaves the
// property out, whatever the API's own rules say of it; the value that it has beneath,
// if any, stays and comes back with the next value that is not null.
type datastoreState struct {
	Capacity        optional[int64]  `json:"capacity"` // bytes, as all sizes
	Uncommitted     optional[int64]  `json:"uncommitted"`
	Accessible      optional[bool]   `json:"accessible"`
	MaintenanceMode optional[string] `json:"maintenanceMode"`
	URL             optional[string] `json:"url"`
	// Missing means 62 TiB where the type has a limit; the API cannot say zero.
	MaxVirtualDiskCapacity optional[int64] `json:"maxVirtualDiskCapacity"`
	// When the figures were read; missing means 1970, so that a restart changes nothing.
	Timestamp        optional[time.Time] `json:"timestamp"`
	ThinProvisioning optional[bool]      `json:"thinProvisioning"`
	// Missing means: two mounts or more are not "mounted": false.
	MultipleHostAccess optional[bool] `json:"multipleHostAccess"`
	// Instead of Clusters: the hosts that have it. An empty list is none.
	Mounts optional[[]mountSpec] `json:"mounts"`
	// Whole properties ("summary", "host", ...) for which the user has no permission:
	// a fault stands in their place.
	Withheld optional[[]string] `json:"withheld"`
}

// mountSpec is how one host has a datastore. Here null means absent as well.
type mountSpec struct {
	Host       string         `json:"host"`
	Mounted    optional[bool] `json:"mounted"`    // missing means true
	Accessible optional[bool] `json:"accessible"` // missing means what the datastore is, also later
	AccessMode string         `json:"accessMode"` // missing means readWrite
	// For example AllPathsDown_Start, AllPathsDown_Timeout, PermanentDeviceLoss.
	InaccessibleReason string `json:"inaccessibleReason"`
}

// decodeStrict refuses unknown fields: a misspelt key in a test must not pass silently.
func decodeStrict(r io.Reader, into any) error {
	dec := json.NewDecoder(r)
	dec.DisallowUnknownFields()
	if err := dec.Decode(into); err != nil {
		return err
	}
	if _, err := dec.Token(); err != io.EOF {
		return errors.New("more data after the JSON value")
	}
	return nil
}

func readInventory(file string) (*inventorySpec, error) {
	spec := new(inventorySpec)
	if file != "" {
		data, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		if err := decodeStrict(bytes.NewReader(data), spec); err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
	}
	if spec.Datacenters == nil {
		spec.Datacenters = []datacenterSpec{{}}
	}
	for i := range spec.Datacenters {
		dc := &spec.Datacenters[i]
		if dc.Name == "" {
			dc.Name = fmt.Sprintf("DC%d", i)
		}
		if dc.Clusters == nil && dc.Hosts == nil {
			dc.Clusters = []clusterSpec{{}}
		}
		for j := range dc.Clusters {
			c := &dc.Clusters[j]
			if c.Name == "" {
				c.Name = fmt.Sprintf("C%d", j)
			}
			if !c.Hosts.Set || c.Hosts.Null {
				c.Hosts.Value = make(hostList, 3)
			}
			nameHosts(c.Hosts.Value, dc.Name+"_"+c.Name)
			// The simulator itself takes two of a name; a real one does not.
			for _, other := range dc.Clusters[:j] {
				if other.Name == c.Name {
					return nil, fmt.Errorf("two clusters %q in %s", c.Name, dc.Name)
				}
			}
		}
		nameHosts(dc.Hosts, dc.Name)
		for _, other := range spec.Datacenters[:i] {
			if other.Name == dc.Name {
				return nil, fmt.Errorf("two datacenters %q", dc.Name)
			}
		}
	}
	return spec, nil
}

func nameHosts(hosts hostList, place string) {
	for i := range hosts {
		if hosts[i].Name == "" {
			hosts[i].Name = fmt.Sprintf("%s_H%d", place, i)
		}
	}
}
