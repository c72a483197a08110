package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/vmware/govmomi/object"
	"github.com/vmware/govmomi/vim25"
	"github.com/vmware/govmomi/vim25/types"
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
	return json.Unmarshal(data, &o.Value)
}

func (o optional[T]) or(fallback T) T {
	if !o.Set || o.Null {
		return fallback
	}
	return o.Value
}

type inventorySpec struct {
	Datacenters []datacenterSpec `json:"datacenters"`
}

type datacenterSpec struct {
	Name       string          `json:"name"`
	Clusters   []clusterSpec   `json:"clusters"`
	Datastores []datastoreSpec `json:"datastores"`
}

type clusterSpec struct {
	Name  string        `json:"name"`
	Hosts optional[int] `json:"hosts"`
}

type datastoreSpec struct {
	Name            string           `json:"name"`
	Type            string           `json:"type"`
	Capacity        optional[int64]  `json:"capacity"`
	Free            optional[int64]  `json:"free"`
	Uncommitted     optional[int64]  `json:"uncommitted"`
	Accessible      optional[bool]   `json:"accessible"`
	MaintenanceMode optional[string] `json:"maintenanceMode"`
	URL             optional[string] `json:"url"`
	// Clusters whose hosts mount it; missing means every cluster of the datacenter.
	Clusters optional[[]string] `json:"clusters"`
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
		if dc.Clusters == nil {
			dc.Clusters = []clusterSpec{{}}
		}
		for j := range dc.Clusters {
			c := &dc.Clusters[j]
			if c.Name == "" {
				c.Name = fmt.Sprintf("C%d", j)
			}
			// The simulator itself takes two of a name; a real one does not.
			for _, other := range dc.Clusters[:j] {
				if other.Name == c.Name {
					return nil, fmt.Errorf("two clusters %q in %s", c.Name, dc.Name)
				}
			}
		}
		for _, other := range spec.Datacenters[:i] {
			if other.Name == dc.Name {
				return nil, fmt.Errorf("two datacenters %q", dc.Name)
			}
		}
	}
	return spec, nil
}

// build fills the empty vCenter. Objects are created one after the other, in the
// order of the file, because their references are numbered as they come: the same
// file must give the same references after a restart.
func (inv *inventory) build(spec *inventorySpec) error {
	ctx := context.Background()
	client, err := vim25.NewClient(ctx, inv.svc)
	if err != nil {
		return err
	}
	root := object.NewRootFolder(client)
	for _, dcSpec := range spec.Datacenters {
		dc, err := root.CreateDatacenter(ctx, dcSpec.Name)
		if err != nil {
			return fmt.Errorf("datacenter %q: %w", dcSpec.Name, err)
		}
		folders, err := dc.Folders(ctx)
		if err != nil {
			return err
		}
		place := &datacenter{
			name:     dcSpec.Name,
			self:     dc.Reference(),
			folder:   folders.DatastoreFolder.Reference(),
			clusters: make(map[string]*cluster),
		}
		for _, cs := range dcSpec.Clusters {
			cl, err := folders.HostFolder.CreateCluster(ctx, cs.Name, types.ClusterConfigSpecEx{})
			if err != nil {
				return fmt.Errorf("cluster %q: %w", cs.Name, err)
			}
			c := &cluster{self: cl.Reference()}
			for i := range cs.Hosts.or(3) {
				task, err := cl.AddHost(ctx, types.HostConnectSpec{
					HostName: fmt.Sprintf("%s_%s_H%d", dcSpec.Name, cs.Name, i),
				}, true, nil, nil)
				if err != nil {
					return err
				}
				info, err := task.WaitForResult(ctx, nil)
				if err != nil {
					return err
				}
				c.hosts = append(c.hosts, info.Result.(types.ManagedObjectReference))
			}
			place.clusters[cs.Name] = c
			place.order = append(place.order, cs.Name)
		}
		inv.datacenters = append(inv.datacenters, place)
		for _, ds := range dcSpec.Datastores {
			if _, err := inv.create(place, ds); err != nil {
				return err
			}
		}
	}
	return nil
}

// defaultURL imitates the shape of a real one and depends on the names only.
func defaultURL(dc, name, kind string) string {
	h := sha256.Sum256([]byte(dc + "/" + name))
	id := fmt.Sprintf("%x-%x-%x-%x", h[0:4], h[4:8], h[8:10], h[10:16])
	if slices.Contains([]string{"vsan", "vsand", "vvol"}, strings.ToLower(kind)) {
		id = strings.ToLower(kind) + ":" + id
	}
	return "ds:///vmfs/volumes/" + id + "/"
}
