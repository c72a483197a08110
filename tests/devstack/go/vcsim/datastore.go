package main

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/types"
)

// firstDatastore starts a range of its own for datastore references: the simulator
// numbers all other objects from one counter, so adding a host to the file would
// otherwise renumber every datastore.
const firstDatastore = 10001

// createPause separates creations. The simulator can deadlock when a second object
// enters a container view within the moment in which a waiting client re-reads that
// view because of the first; a waiter re-reads every 20 ms.
const createPause = 60 * time.Millisecond

type cluster struct {
	self  types.ManagedObjectReference
	hosts []types.ManagedObjectReference
}

type datacenter struct {
	name     string
	self     types.ManagedObjectReference
	folder   types.ManagedObjectReference
	clusters map[string]*cluster
	order    []string
}

// inventory owns every change made from outside the vSphere API. Its mutex keeps
// two control requests apart; the registry's locks keep them apart from clients.
type inventory struct {
	svc *simulator.Service

	mu          sync.Mutex
	datacenters []*datacenter
	created     int
	served      bool
}

// context returns a new identity for the registry's locks, which are re-entrant per
// context: a shared one would let two requests into the same lock.
func (inv *inventory) context() *simulator.Context {
	ctx := *inv.svc.Context
	return &ctx
}

// A conflict is a request that cannot be satisfied in the present state.
type conflict struct{ error }

// missing is a request about something that is not there.
type missing struct{ error }

func (inv *inventory) datacenter(name string) (*datacenter, error) {
	if name == "" {
		if len(inv.datacenters) == 1 {
			return inv.datacenters[0], nil
		}
		return nil, conflict{fmt.Errorf("name one of %d datacenters", len(inv.datacenters))}
	}
	for _, dc := range inv.datacenters {
		if dc.name == name {
			return dc, nil
		}
	}
	return nil, missing{fmt.Errorf("no datacenter %q", name)}
}

func (inv *inventory) children(dc *datacenter) []*simulator.Datastore {
	var all []*simulator.Datastore
	for _, ref := range inv.folder(dc).ChildEntity {
		if ds, ok := inv.svc.Context.Map.Get(ref).(*simulator.Datastore); ok {
			all = append(all, ds)
		}
	}
	return all
}

func (inv *inventory) folder(dc *datacenter) *simulator.Folder {
	return inv.svc.Context.Map.Get(dc.folder).(*simulator.Folder)
}

// find looks a datastore up by name, in one datacenter or in all.
func (inv *inventory) find(dcName, name string) (*datacenter, *simulator.Datastore, error) {
	var where *datacenter
	var found *simulator.Datastore
	for _, dc := range inv.datacenters {
		if dcName != "" && dc.name != dcName {
			continue
		}
		for _, ds := range inv.children(dc) {
			if ds.Name != name {
				continue
			}
			if found != nil {
				return nil, nil, conflict{fmt.Errorf("datastore %q is in several datacenters: name one", name)}
			}
			where, found = dc, ds
		}
	}
	if found == nil {
		return nil, nil, missing{fmt.Errorf("no datastore %q", name)}
	}
	return where, found, nil
}

// references maps names to references; a name that several datacenters use is
// listed as "datacenter/name".
func (inv *inventory) references() map[string]string {
	inv.mu.Lock()
	defer inv.mu.Unlock()
	count := make(map[string]int)
	for _, dc := range inv.datacenters {
		for _, ds := range inv.children(dc) {
			count[ds.Name]++
		}
	}
	refs := make(map[string]string)
	for _, dc := range inv.datacenters {
		for _, ds := range inv.children(dc) {
			name := ds.Name
			if count[name] > 1 {
				name = dc.name + "/" + name
			}
			refs[name] = ds.Self.Value
		}
	}
	inv.served = true
	return refs
}

// create adds a datastore that is complete before any watcher sees it. The API's own
// way (one CreateDatastore call per host) shows watchers several half-made states and
// wants a local directory as its URL.
func (inv *inventory) create(dc *datacenter, spec datastoreSpec) (types.ManagedObjectReference, error) {
	var none types.ManagedObjectReference
	if spec.Name == "" {
		return none, fmt.Errorf("a datastore has no name")
	}
	if spec.Accessible.Null {
		return none, fmt.Errorf("datastore %q: accessible cannot be absent: it is a required element", spec.Name)
	}
	reg := inv.svc.Context.Map
	ctx := inv.context()
	folder := inv.folder(dc)
	if reg.FindByName(spec.Name, folder.ChildEntity) != nil {
		return none, conflict{fmt.Errorf("datastore %q exists in %s", spec.Name, dc.name)}
	}
	mounting := dc.order
	if spec.Clusters.Set && !spec.Clusters.Null {
		mounting = spec.Clusters.Value
	}
	for _, name := range mounting {
		if dc.clusters[name] == nil {
			return none, missing{fmt.Errorf("datastore %q: no cluster %q in %s", spec.Name, name, dc.name)}
		}
	}

	if spec.Type == "" {
		spec.Type = string(types.HostFileSystemVolumeFileSystemTypeVMFS)
	}
	capacity := spec.Capacity.or(1 << 40)
	normal := string(types.DatastoreSummaryMaintenanceModeStateNormal)
	if spec.MaintenanceMode.Null {
		normal = ""
	}
	ref := types.ManagedObjectReference{Type: "Datastore", Value: fmt.Sprintf("datastore-%d", firstDatastore+inv.created)}
	ds := new(simulator.Datastore)
	ds.Self = ref
	ds.Name = spec.Name
	ds.Summary = types.DatastoreSummary{
		Datastore:       &ref,
		Name:            spec.Name,
		Url:             spec.URL.or(defaultURL(dc.name, spec.Name, spec.Type)),
		Capacity:        capacity,
		FreeSpace:       spec.Free.or(capacity),
		Uncommitted:     spec.Uncommitted.or(0), // zero is left out on the wire
		Accessible:      spec.Accessible.or(true),
		Type:            spec.Type,
		MaintenanceMode: spec.MaintenanceMode.or(normal),
	}
	ds.Capability = types.DatastoreCapability{
		DirectoryHierarchySupported:      true,
		PerFileThinProvisioningSupported: true,
	}
	ds.Info = info(ds.Summary)
	for _, name := range mounting {
		for _, host := range dc.clusters[name].hosts {
			ds.Host = append(ds.Host, types.DatastoreHostMount{
				Key: host,
				MountInfo: types.HostMountInfo{
					Path:       strings.TrimSuffix(strings.TrimPrefix(ds.Summary.Url, "ds://"), "/"),
					AccessMode: string(types.HostMountModeReadWrite),
					Mounted:    types.NewBool(true),
					Accessible: types.NewBool(ds.Summary.Accessible),
				},
			})
		}
	}
	ds.Summary.MultipleHostAccess = types.NewBool(len(ds.Host) > 1)
	browser := new(simulator.HostDatastoreBrowser)
	browser.Self = types.ManagedObjectReference{Type: "HostDatastoreBrowser", Value: "browser-" + ref.Value}
	browser.Datastore = []types.ManagedObjectReference{ref}
	ds.Browser = reg.Put(browser).Reference()

	// The folder comes first: a view looks there to decide whether the new object is its own.
	reg.AppendReference(ctx, folder, &folder.ChildEntity, ref)
	reg.PutEntity(folder, ds)
	inv.created++

	parent := reg.Get(dc.self).(*simulator.Datacenter)
	reg.AddReference(ctx, parent, &parent.Datastore, ref)
	for _, name := range mounting {
		inv.mount(ctx, dc.clusters[name], func(refs []types.ManagedObjectReference) []types.ManagedObjectReference {
			return append(refs, ref)
		})
	}
	if inv.served {
		time.Sleep(createPause)
	}
	return ref, nil
}

// mount changes the list of datastores of a cluster and of its hosts. Watchers are
// told about the cluster only: each notification makes the simulator re-read the
// whole filter, and the mounts of a host are in the datastore as well.
func (inv *inventory) mount(ctx *simulator.Context, c *cluster, edit func([]types.ManagedObjectReference) []types.ManagedObjectReference) {
	reg := inv.svc.Context.Map
	for _, ref := range c.hosts {
		host := reg.Get(ref).(*simulator.HostSystem)
		reg.WithLock(ctx, host, func() { host.Datastore = edit(host.Datastore) })
	}
	cl := reg.Get(c.self).(*simulator.ClusterComputeResource)
	reg.WithLock(ctx, cl, func() {
		list := edit(slices.Clone(cl.Datastore))
		ctx.Update(cl, []types.PropertyChange{{Name: "datastore", Val: list}})
	})
}

func (inv *inventory) delete(dc *datacenter, ds *simulator.Datastore) {
	reg := inv.svc.Context.Map
	ctx := inv.context()
	ref := ds.Self
	without := func(refs []types.ManagedObjectReference) []types.ManagedObjectReference {
		return slices.DeleteFunc(slices.Clone(refs), func(r types.ManagedObjectReference) bool { return r == ref })
	}
	folder := inv.folder(dc)
	parent := reg.Get(dc.self).(*simulator.Datacenter)
	reg.WithLock(ctx, folder, func() { folder.ChildEntity = without(folder.ChildEntity) })
	reg.WithLock(ctx, parent, func() { parent.Datastore = without(parent.Datastore) })
	reg.Remove(ctx, ref)
	reg.Remove(ctx, ds.Browser)
	for _, name := range dc.order {
		if c := dc.clusters[name]; slices.Contains(reg.Get(c.self).(*simulator.ClusterComputeResource).Datastore, ref) {
			inv.mount(ctx, c, without)
		}
	}
}

// info builds the part of a datastore that differs by kind of storage.
func info(s types.DatastoreSummary) types.BaseDatastoreInfo {
	base := types.DatastoreInfo{
		Name:              s.Name,
		Url:               s.Url,
		FreeSpace:         s.FreeSpace,
		MaxFileSize:       s.Capacity,
		MaxMemoryFileSize: s.Capacity,
		Timestamp:         types.NewTime(time.Unix(0, 0).UTC()), // fixed: a restart must not look like a change
	}
	volume := types.HostFileSystemVolume{Type: s.Type, Name: s.Name, Capacity: s.Capacity}
	switch strings.ToLower(s.Type) {
	case "vmfs":
		return &types.VmfsDatastoreInfo{DatastoreInfo: base, Vmfs: &types.HostVmfsVolume{
			HostFileSystemVolume: volume, BlockSizeMb: 1, MajorVersion: 6, Version: "6.82", Uuid: s.Datastore.Value,
		}}
	case "nfs", "nfs41", "cifs":
		return &types.NasDatastoreInfo{DatastoreInfo: base, Nas: &types.HostNasVolume{
			HostFileSystemVolume: volume, RemoteHost: "nas.example", RemotePath: "/" + s.Name,
		}}
	case "vsan", "vsand":
		return &types.VsanDatastoreInfo{DatastoreInfo: base, MembershipUuid: s.Datastore.Value}
	case "vvol":
		return &types.VvolDatastoreInfo{DatastoreInfo: base, VvolDS: &types.HostVvolVolume{
			HostFileSystemVolume: volume, ScId: "vvol:" + s.Datastore.Value,
		}}
	case "pmem":
		return &types.PMemDatastoreInfo{DatastoreInfo: base, Pmem: types.HostPMemVolume{
			HostFileSystemVolume: volume, Uuid: s.Datastore.Value, Version: "1",
		}}
	default:
		return &base
	}
}

// change is the "set" object of a control request.
type change struct {
	Name            optional[string] `json:"name"`
	FreeSpace       optional[int64]  `json:"freeSpace"`
	Capacity        optional[int64]  `json:"capacity"`
	Uncommitted     optional[int64]  `json:"uncommitted"`
	Accessible      optional[bool]   `json:"accessible"`
	MaintenanceMode optional[string] `json:"maintenanceMode"`
	Type            optional[string] `json:"type"`
	URL             optional[string] `json:"url"`
}

func (c change) properties(ds *simulator.Datastore) ([]types.PropertyChange, error) {
	var all []types.PropertyChange
	add := func(path string, set bool, val any) {
		if set {
			all = append(all, types.PropertyChange{Name: path, Op: types.PropertyChangeOpAssign, Val: val})
		}
	}
	for name, null := range map[string]bool{
		"name": c.Name.Null, "freeSpace": c.FreeSpace.Null, "capacity": c.Capacity.Null,
		"accessible": c.Accessible.Null, "type": c.Type.Null, "url": c.URL.Null,
	} {
		if null {
			return nil, fmt.Errorf("%s cannot be absent: it is a required element", name)
		}
	}
	// One path per value: the simulator matches "summary.freeSpace" against a filter on
	// "summary", but a change of "summary" not against a filter on "summary.freeSpace".
	add("name", c.Name.Set, c.Name.Value)
	add("summary.name", c.Name.Set, c.Name.Value)
	add("summary.freeSpace", c.FreeSpace.Set, c.FreeSpace.Value)
	add("summary.capacity", c.Capacity.Set, c.Capacity.Value)
	add("summary.uncommitted", c.Uncommitted.Set, c.Uncommitted.Value)
	add("summary.accessible", c.Accessible.Set, c.Accessible.Value)
	add("summary.maintenanceMode", c.MaintenanceMode.Set, c.MaintenanceMode.Value)
	add("summary.type", c.Type.Set, c.Type.Value)
	add("summary.url", c.URL.Set, c.URL.Value)
	if len(all) == 0 {
		return nil, fmt.Errorf("nothing to set")
	}
	// Facts that stand in a second place; copies, since watchers may hold the old values.
	old := simulator.Checkpoint(ds).(*mo.Datastore)
	if c.Accessible.Set {
		for i := range old.Host {
			old.Host[i].MountInfo.Accessible = types.NewBool(c.Accessible.Value)
		}
		add("host", true, old.Host)
	}
	if c.Name.Set || c.FreeSpace.Set {
		info := old.Info
		base := info.GetDatastoreInfo()
		base.Name = c.Name.or(base.Name)
		base.FreeSpace = c.FreeSpace.or(base.FreeSpace)
		add("info", true, info)
	}
	return all, nil
}

func (inv *inventory) set(dc *datacenter, ds *simulator.Datastore, c change) error {
	if c.Name.Set && c.Name.Value != ds.Name {
		if c.Name.Value == "" {
			return fmt.Errorf("a datastore needs a name")
		}
		if inv.svc.Context.Map.FindByName(c.Name.Value, inv.folder(dc).ChildEntity) != nil {
			return conflict{fmt.Errorf("datastore %q exists in %s", c.Name.Value, dc.name)}
		}
	}
	changes, err := c.properties(ds)
	if err != nil {
		return err
	}
	inv.svc.Context.Map.AtomicUpdate(inv.context(), ds, changes)
	return nil
}

// apply is the raw form of set. Changes are tried on a copy first, because the
// simulator panics at a path it does not know and then never releases its lock.
func (inv *inventory) apply(up types.ObjectUpdate) (err error) {
	if up.Kind != types.ObjectUpdateKindModify {
		return fmt.Errorf("kind %q: only %q can be applied", up.Kind, types.ObjectUpdateKindModify)
	}
	if len(up.ChangeSet) == 0 {
		return fmt.Errorf("no changeSet")
	}
	obj := inv.svc.Context.Map.Get(up.Obj)
	if obj == nil {
		return missing{fmt.Errorf("no object %s", up.Obj)}
	}
	ctx := inv.context()
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("cannot apply: %v", p)
		}
	}()
	mo.ApplyPropertyChange(ctx.Checkpoint(obj), slices.Clone(up.ChangeSet))
	inv.svc.Context.Map.AtomicUpdate(ctx, obj, up.ChangeSet)
	return nil
}
