package main

import (
	"context"
	"fmt"

	"github.com/vmware/govmomi/object"
	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25"
	"github.com/vmware/govmomi/vim25/types"
)

// build fills the empty vCenter. Objects are created one after the other, in the
// order of the file, because their references are numbered as they come: the same
// file must give the same references after a restart.
func (inv *inventory) build(spec *inventorySpec) error {
	ctx := context.Background()
	client, err := vim25.NewClient(ctx, inv.svc)
	if err != nil {
		return err
	}
	inv.client = client
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
			name:   dcSpec.Name,
			self:   dc.Reference(),
			folder: folders.DatastoreFolder.Reference(),
		}
		inv.datacenters = append(inv.datacenters, place)
		for _, cs := range dcSpec.Clusters {
			cl, err := folders.HostFolder.CreateCluster(ctx, cs.Name, types.ClusterConfigSpecEx{})
			if err != nil {
				return fmt.Errorf("cluster %q: %w", cs.Name, err)
			}
			c := &compute{name: cs.Name, self: cl.Reference()}
			place.computes = append(place.computes, c)
			for _, host := range cs.Hosts.Value {
				if _, err := inv.createHost(place, c, host); err != nil {
					return err
				}
			}
		}
		for _, host := range dcSpec.Hosts {
			if err := inv.createStandalone(place, folders.HostFolder, host); err != nil {
				return err
			}
		}
		for _, ds := range dcSpec.Datastores {
			if _, err := inv.create(place, ds); err != nil {
				return err
			}
		}
	}
	return nil
}

func (inv *inventory) createStandalone(dc *datacenter, folder *object.Folder, spec hostSpec) error {
	ref, err := inv.connect(spec, func(ctx context.Context, spec types.HostConnectSpec) (*object.Task, error) {
		return folder.AddStandaloneHost(ctx, spec, true, nil, nil)
	})
	if err != nil {
		return err
	}
	host := inv.svc.Context.Map.Get(ref).(*simulator.HostSystem)
	c := &compute{self: *host.Parent, hosts: []types.ManagedObjectReference{ref}}
	dc.computes = append(dc.computes, c)
	inv.hosts[spec.Name] = &hostPlace{ref, dc, c}
	return nil
}
