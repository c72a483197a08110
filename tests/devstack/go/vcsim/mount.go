package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/types"
)

// described is what was said of a datastore and cannot be read back from its properties.
type described struct {
	mounts []mountSpec
	// Whether several hosts have it was said; otherwise it follows the mounts.
	fixedAccess bool
}

// everywhere mounts a datastore by all hosts of clusters.
func (inv *inventory) everywhere(dc *datacenter, clusters optional[[]string]) ([]mountSpec, error) {
	var chosen []*compute
	if clusters.Set && !clusters.Null {
		for _, name := range clusters.Value {
			c, err := dc.cluster(name)
			if err != nil {
				return nil, err
			}
			chosen = append(chosen, c)
		}
	} else {
		chosen = slices.DeleteFunc(slices.Clone(dc.computes), func(c *compute) bool { return c.name == "" })
	}
	var all []mountSpec
	for _, c := range chosen {
		for _, ref := range c.hosts {
			host := inv.svc.Context.Map.Get(ref).(*simulator.HostSystem)
			all = append(all, mountSpec{Host: host.Name})
		}
	}
	return all, nil
}

// hostMounts is the "host" property of a datastore. accessible is what the datastore is; nil: not known.
func (inv *inventory) hostMounts(
	dc *datacenter, mounts []mountSpec, url string, accessible *bool,
) ([]types.DatastoreHostMount, error) {
	var all []types.DatastoreHostMount
	for i, m := range mounts {
		place := inv.hosts[m.Host]
		if place == nil || place.dc != dc {
			return nil, missing{fmt.Errorf("no host %q in %s", m.Host, dc.name)}
		}
		if slices.ContainsFunc(mounts[:i], func(other mountSpec) bool { return other.Host == m.Host }) {
			return nil, fmt.Errorf("host %q mounts it twice", m.Host)
		}
		mode := types.HostMountMode(m.AccessMode)
		if mode == "" {
			mode = types.HostMountModeReadWrite
		} else if !slices.Contains(mode.Values(), mode) {
			return nil, fmt.Errorf("%q is not an access mode", mode)
		}
		all = append(all, types.DatastoreHostMount{
			Key: place.self,
			MountInfo: types.HostMountInfo{
				Path:               strings.TrimSuffix(strings.TrimPrefix(url, "ds://"), "/"),
				AccessMode:         string(mode),
				Mounted:            m.Mounted.pointer(types.NewBool(true)),
				Accessible:         m.Accessible.pointer(accessible),
				InaccessibleReason: m.InaccessibleReason,
			},
		})
	}
	return all, nil
}

// severalHosts tells whether two mounts or more are not denied.
func severalHosts(mounts []types.DatastoreHostMount) *bool {
	n := 0
	for _, m := range mounts {
		if m.MountInfo.Mounted == nil || *m.MountInfo.Mounted {
			n++
		}
	}
	return types.NewBool(n > 1)
}

// link makes the lists of datastores of hosts and clusters agree with the mounts of a
// datastore. Watchers are told about the clusters only: each notification makes the
// simulator re-read the whole filter, and the mounts of a host are in the datastore as well.
func (inv *inventory) link(dc *datacenter, ds types.ManagedObjectReference, mounts []types.DatastoreHostMount) {
	reg := inv.svc.Context.Map
	ctx := inv.context()
	mounting := make(map[types.ManagedObjectReference]bool)
	for _, m := range mounts {
		mounting[m.Key] = true
	}
	edit := func(list []types.ManagedObjectReference, wanted bool) ([]types.ManagedObjectReference, bool) {
		at := slices.Index(list, ds)
		switch {
		case wanted && at < 0:
			return append(slices.Clip(list), ds), true
		case !wanted && at >= 0:
			return slices.Delete(slices.Clone(list), at, at+1), true
		default:
			return list, false
		}
	}
	for _, c := range dc.computes {
		any := false
		for _, ref := range c.hosts {
			any = any || mounting[ref]
			host := reg.Get(ref).(*simulator.HostSystem)
			reg.WithLock(ctx, host, func() { host.Datastore, _ = edit(host.Datastore, mounting[ref]) })
		}
		obj, cr := inv.computeResource(c)
		reg.WithLock(ctx, obj, func() {
			if list, changed := edit(cr.Datastore, any); changed {
				ctx.Update(obj, []types.PropertyChange{{Name: "datastore", Val: list}})
			}
		})
	}
}
