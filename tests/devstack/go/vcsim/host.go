package main

import (
	"context"
	"fmt"
	"slices"

	"github.com/vmware/govmomi/object"
	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/types"
)

// compute is a cluster, or what stands in its place above a host without one.
type compute struct {
	name  string // empty: not a cluster
	self  types.ManagedObjectReference
	hosts []types.ManagedObjectReference
}

// hostPlace tells where a host is.
type hostPlace struct {
	self    types.ManagedObjectReference
	dc      *datacenter
	compute *compute
}

func (dc *datacenter) cluster(name string) (*compute, error) {
	for _, c := range dc.computes {
		if c.name == name && name != "" {
			return c, nil
		}
	}
	return nil, missing{fmt.Errorf("no cluster %q in %s", name, dc.name)}
}

func (inv *inventory) host(name string) (*hostPlace, *simulator.HostSystem, error) {
	place := inv.hosts[name]
	if place == nil {
		return nil, nil, missing{fmt.Errorf("no host %q", name)}
	}
	return place, inv.svc.Context.Map.Get(place.self).(*simulator.HostSystem), nil
}

func (s hostState) changes() ([]types.PropertyChange, error) {
	if s.Maintenance.Null || s.ConnectionState.Null {
		return nil, fmt.Errorf("maintenance and connectionState of a host cannot be absent")
	}
	var all []types.PropertyChange
	if s.Maintenance.Set {
		all = append(all, types.PropertyChange{Name: "runtime.inMaintenanceMode", Val: s.Maintenance.Value})
	}
	if s.ConnectionState.Set {
		state := types.HostSystemConnectionState(s.ConnectionState.Value)
		if !slices.Contains(state.Values(), state) {
			return nil, fmt.Errorf("%q is not a connection state", state)
		}
		all = append(all, types.PropertyChange{Name: "runtime.connectionState", Val: state})
	}
	return all, nil
}

func (inv *inventory) setHost(host *simulator.HostSystem, s hostState) error {
	changes, err := s.changes()
	if err != nil {
		return err
	}
	if len(changes) == 0 {
		return fmt.Errorf("nothing to set")
	}
	inv.svc.Context.Map.AtomicUpdate(inv.context(), host, changes)
	return nil
}

// connect makes the API add a host and gives it the state that it shall have.
func (inv *inventory) connect(
	spec hostSpec, add func(context.Context, types.HostConnectSpec) (*object.Task, error),
) (ref types.ManagedObjectReference, err error) {
	if spec.Name == "" {
		return ref, fmt.Errorf("a host has no name")
	}
	// The simulator itself takes two of a name.
	if inv.hosts[spec.Name] != nil {
		return ref, conflict{fmt.Errorf("host %q exists", spec.Name)}
	}
	changes, err := spec.changes()
	if err != nil {
		return ref, fmt.Errorf("host %q: %w", spec.Name, err)
	}
	ctx := context.Background()
	task, err := add(ctx, types.HostConnectSpec{HostName: spec.Name})
	if err != nil {
		return ref, err
	}
	info, err := task.WaitForResult(ctx, nil)
	if err != nil {
		return ref, err
	}
	ref = info.Result.(types.ManagedObjectReference)
	reg := inv.svc.Context.Map
	reg.AtomicUpdate(inv.context(), reg.Get(ref), changes)
	return ref, nil
}

// createHost adds a host to a cluster. It mounts nothing until a datastore says so.
func (inv *inventory) createHost(dc *datacenter, c *compute, spec hostSpec) (types.ManagedObjectReference, error) {
	ref, err := inv.connect(spec, func(ctx context.Context, spec types.HostConnectSpec) (*object.Task, error) {
		return object.NewClusterComputeResource(inv.client, c.self).AddHost(ctx, spec, true, nil, nil)
	})
	if err != nil {
		return ref, err
	}
	c.hosts = append(c.hosts, ref)
	inv.hosts[spec.Name] = &hostPlace{ref, dc, c}

	reg := inv.svc.Context.Map
	inv.tellHosts(c)
	// The simulator registers a host before its cluster lists it, so a view, which looks
	// for new objects in the tree, has missed it. It finds it now.
	reg.Put(reg.Get(ref))
	inv.settle()
	return ref, nil
}

// deleteHost takes a host out of its cluster and out of the mounts of all datastores.
func (inv *inventory) deleteHost(name string, place *hostPlace) error {
	if place.compute.name == "" {
		return fmt.Errorf("host %q is not in a cluster: it cannot be removed", name)
	}
	reg := inv.svc.Context.Map
	for _, ds := range inv.children(place.dc) {
		was := inv.described[ds.Self].mounts
		left := slices.DeleteFunc(slices.Clone(was), func(m mountSpec) bool { return m.Host == name })
		if len(left) == len(was) {
			continue
		}
		without := change{datastoreState: datastoreState{Mounts: optional[[]mountSpec]{Set: true, Value: left}}}
		if err := inv.set(place.dc, ds, without); err != nil {
			return err
		}
	}
	gone := func(ref types.ManagedObjectReference) bool { return ref == place.self }
	place.compute.hosts = slices.DeleteFunc(place.compute.hosts, gone)
	delete(inv.hosts, name)
	inv.tellHosts(place.compute)
	// The simulator keeps a second list, and panics at the next host when one of it is gone.
	_, cr := inv.computeResource(place.compute)
	browser := reg.Get(*cr.EnvironmentBrowser).(*simulator.EnvironmentBrowser)
	reg.WithLock(inv.context(), browser, func() {
		options := browser.QueryConfigOptionDescriptorResponse.Returnval
		for i := range options {
			options[i].Host = slices.DeleteFunc(slices.Clone(options[i].Host), gone)
		}
	})
	reg.Remove(inv.context(), place.self)
	return nil
}

// tellHosts sets the list of hosts of a cluster and tells watchers.
func (inv *inventory) tellHosts(c *compute) {
	reg := inv.svc.Context.Map
	hosts := slices.Clone(c.hosts)
	reg.AtomicUpdate(inv.context(), reg.Get(c.self), []types.PropertyChange{{Name: "host", Val: hosts}})
}

// computeResource is what clusters and their stand-ins have in common.
func (inv *inventory) computeResource(c *compute) (mo.Reference, *mo.ComputeResource) {
	switch obj := inv.svc.Context.Map.Get(c.self).(type) {
	case *simulator.ClusterComputeResource:
		return obj, &obj.ComputeResource
	case *mo.ComputeResource:
		return obj, obj
	default:
		panic(fmt.Sprintf("%s is not a compute resource", c.self))
	}
}
