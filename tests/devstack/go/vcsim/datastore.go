package main

import (
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25"
	"github.com/vmware/govmomi/vim25/types"
)

// firstDatastore starts a range of its own for datastore references: the simulator
// numbers all other objects from one counter, so adding a host to the file would
// otherwise renumber every datastore.
const firstDatastore = 10001

// viewPause separates creations. The simulator can deadlock when a second object
// enters a container view within the moment in which a waiting client re-reads that
// view because of the first; a waiter re-reads every 20 ms.
const viewPause = 60 * time.Millisecond

type datacenter struct {
	name     string
	self     types.ManagedObjectReference
	folder   types.ManagedObjectReference // of the datastores
	computes []*compute
}

// inventory owns every change made from outside the vSphere API. Its mutex keeps
// two control requests apart; the registry's locks keep them apart from clients.
type inventory struct {
	svc    *simulator.Service
	client *vim25.Client // of the simulator's own API
	hidden *concealment

	mu          sync.Mutex
	datacenters []*datacenter
	hosts       map[string]*hostPlace // by name
	described   map[types.ManagedObjectReference]described
	created     int
	served      bool
}

// context returns a new identity for the registry's locks, which are re-entrant per
// context: a shared one would let two requests into the same lock.
func (inv *inventory) context() *simulator.Context {
	ctx := *inv.svc.Context
	return &ctx
}

func newInventory(svc *simulator.Service) *inventory {
	return &inventory{
		svc:       svc,
		hidden:    &concealment{of: make(map[string]hidden)},
		hosts:     make(map[string]*hostPlace),
		described: make(map[types.ManagedObjectReference]described),
	}
}

// settle gives watchers the time to re-read their views; see viewPause.
func (inv *inventory) settle() {
	if inv.served {
		time.Sleep(viewPause)
	}
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
	reg := inv.svc.Context.Map
	ctx := inv.context()
	folder := inv.folder(dc)
	if reg.FindByName(spec.Name, folder.ChildEntity) != nil {
		return none, conflict{fmt.Errorf("datastore %q exists in %s", spec.Name, dc.name)}
	}
	if spec.Clusters.Set && spec.Mounts.Set {
		return none, fmt.Errorf("datastore %q: clusters and mounts exclude each other", spec.Name)
	}
	if !spec.Mounts.Set {
		mounts, err := inv.everywhere(dc, spec.Clusters)
		if err != nil {
			return none, fmt.Errorf("datastore %q: %w", spec.Name, err)
		}
		spec.Mounts = optional[[]mountSpec]{Set: true, Value: mounts}
	}
	if spec.Type == "" {
		spec.Type = string(types.HostFileSystemVolumeFileSystemTypeVMFS)
	}

	ref := types.ManagedObjectReference{Type: "Datastore", Value: fmt.Sprintf("datastore-%d", firstDatastore+inv.created)}
	ds := new(simulator.Datastore)
	ds.Self = ref
	ds.Name = spec.Name
	capacity := spec.Capacity.or(1 << 40)
	ds.Summary = types.DatastoreSummary{
		Datastore:       &ref,
		Name:            spec.Name,
		Url:             defaultURL(dc.name, spec.Name, spec.Type),
		Capacity:        capacity,
		FreeSpace:       capacity,
		Accessible:      true,
		Type:            spec.Type,
		MaintenanceMode: string(types.DatastoreSummaryMaintenanceModeStateNormal),
	}
	ds.Capability = types.DatastoreCapability{
		DirectoryHierarchySupported:      true,
		PerFileThinProvisioningSupported: true,
	}
	ds.Info = info(ds.Summary)
	c := change{FreeSpace: spec.Free, datastoreState: spec.datastoreState}
	draft, err := inv.draft(dc, &ds.Datastore, c)
	if err != nil {
		return none, fmt.Errorf("datastore %q: %w", spec.Name, err)
	}
	inv.described[ref] = draft.described
	inv.hidden.set(ref, draft.hidden)

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
	inv.link(dc, ref, ds.Host)
	inv.settle()
	return ref, nil
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
	inv.link(dc, ref, nil)
	delete(inv.described, ref)
	inv.hidden.set(ref, hidden{})
}

// info builds the part of a datastore that differs by kind of storage.
func info(s types.DatastoreSummary) types.BaseDatastoreInfo {
	base := types.DatastoreInfo{
		Name:              s.Name,
		Url:               s.Url,
		FreeSpace:         s.FreeSpace,
		MaxFileSize:       s.Capacity,
		MaxMemoryFileSize: s.Capacity,
		// What vSphere allows where the storage itself has no smaller limit.
		MaxVirtualDiskCapacity: 62 << 40,
		Timestamp:              types.NewTime(time.Unix(0, 0).UTC()), // fixed: a restart must not look like a change
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
		base.MaxVirtualDiskCapacity = 0
		return &types.PMemDatastoreInfo{DatastoreInfo: base, Pmem: types.HostPMemVolume{
			HostFileSystemVolume: volume, Uuid: s.Datastore.Value, Version: "1",
		}}
	default:
		base.MaxVirtualDiskCapacity = 0
		return &base
	}
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
