package main

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/types"
)

// change is the "set" object of a control request.
type change struct {
	Name      optional[string] `json:"name"`
	FreeSpace optional[int64]  `json:"freeSpace"`
	Type      optional[string] `json:"type"`
	datastoreState
}

// draft is a datastore as a change will leave it.
type draft struct {
	ds        *mo.Datastore
	described described
	hidden    hidden
	paths     []string // what differs, for watchers
}

// put writes one value, which can stand in several places.
func put[T any](d *draft, o optional[T], write func(T), paths ...string) {
	if !o.Set {
		return
	}
	if !o.Null {
		write(o.Value)
	}
	for _, path := range paths {
		delete(d.hidden.absent, path)
		if o.Null {
			d.hidden.absent[path] = true
		}
	}
	d.paths = append(d.paths, paths...)
}

// draft writes a change into ds. One path per value: the simulator matches "summary.freeSpace"
// against a filter on "summary", but a change of "summary" not against a filter on "summary.freeSpace".
func (inv *inventory) draft(dc *datacenter, ds *mo.Datastore, c change) (*draft, error) {
	for name, null := range map[string]bool{
		"name": c.Name.Null, "type": c.Type.Null, "url": c.URL.Null, "mounts": c.Mounts.Null, "withheld": c.Withheld.Null,
	} {
		if null {
			return nil, fmt.Errorf("%s cannot be absent", name)
		}
	}
	d := &draft{ds: ds, described: inv.described[ds.Self], hidden: inv.hidden.get(ds.Self)}
	summary, info := &ds.Summary, ds.Info.GetDatastoreInfo()
	put(d, c.Name, func(v string) { ds.Name, summary.Name, info.Name = v, v, v }, "name", "summary.name", "info.name")
	put(d, c.Type, func(v string) { summary.Type = v }, "summary.type")
	put(d, c.URL, func(v string) { summary.Url, info.Url = v, v }, "summary.url", "info.url")
	put(d, c.FreeSpace, func(v int64) { summary.FreeSpace, info.FreeSpace = v, v }, "summary.freeSpace", "info.freeSpace")
	put(d, c.Capacity, func(v int64) { summary.Capacity = v }, "summary.capacity")
	put(d, c.Uncommitted, func(v int64) { summary.Uncommitted = v }, "summary.uncommitted")
	put(d, c.Accessible, func(v bool) { summary.Accessible = v }, "summary.accessible")
	put(d, c.MaintenanceMode, func(v string) { summary.MaintenanceMode = v }, "summary.maintenanceMode")
	put(d, c.MaxVirtualDiskCapacity, func(v int64) { info.MaxVirtualDiskCapacity = v }, "info.maxVirtualDiskCapacity")
	put(d, c.Timestamp, func(v time.Time) { info.Timestamp = &v }, "info.timestamp")
	put(d, c.ThinProvisioning, func(v bool) { ds.Capability.PerFileThinProvisioningSupported = v },
		"capability.perFileThinProvisioningSupported")
	if c.Mounts.Set || c.Accessible.Set {
		if err := inv.draftMounts(dc, d, c.Mounts); err != nil {
			return nil, err
		}
	}
	put(d, c.MultipleHostAccess, func(v bool) { summary.MultipleHostAccess = &v }, "summary.multipleHostAccess")
	d.described.fixedAccess = d.described.fixedAccess || c.MultipleHostAccess.Set
	if err := d.withhold(c.Withheld); err != nil {
		return nil, err
	}
	return d, nil
}

func (inv *inventory) draftMounts(dc *datacenter, d *draft, mounts optional[[]mountSpec]) (err error) {
	if mounts.Set {
		d.described.mounts = mounts.Value
	}
	accessible := types.NewBool(d.ds.Summary.Accessible)
	if d.hidden.absent["summary.accessible"] {
		accessible = nil
	}
	d.ds.Host, err = inv.hostMounts(dc, d.described.mounts, d.ds.Summary.Url, accessible)
	if err != nil {
		return err
	}
	d.paths = append(d.paths, "host")
	if mounts.Set && !d.described.fixedAccess {
		d.ds.Summary.MultipleHostAccess = severalHosts(d.ds.Host)
		d.paths = append(d.paths, "summary.multipleHostAccess")
	}
	return nil
}

// withhold takes the permission for properties, gives back the others, and tells of both.
func (d *draft) withhold(properties optional[[]string]) error {
	if !properties.Set {
		return nil
	}
	for _, property := range properties.Value {
		if len(pathsOf(d.ds, property)) == 0 {
			return fmt.Errorf("withheld: a datastore has no property %q", property)
		}
	}
	for _, property := range slices.Concat(d.hidden.withheld, properties.Value) {
		if slices.Contains(d.hidden.withheld, property) != slices.Contains(properties.Value, property) {
			d.paths = append(d.paths, pathsOf(d.ds, property)...)
		}
	}
	d.hidden.withheld = properties.Value
	return nil
}

// set changes a datastore and tells watchers.
func (inv *inventory) set(dc *datacenter, ds *simulator.Datastore, c change) error {
	if c.Name.Set && c.Name.Value != ds.Name {
		if c.Name.Value == "" {
			return fmt.Errorf("a datastore needs a name")
		}
		if inv.svc.Context.Map.FindByName(c.Name.Value, inv.folder(dc).ChildEntity) != nil {
			return conflict{fmt.Errorf("datastore %q exists in %s", c.Name.Value, dc.name)}
		}
	}
	// A copy, since watchers may hold the old values.
	d, err := inv.draft(dc, simulator.Checkpoint(ds).(*mo.Datastore), c)
	if err != nil {
		return err
	}
	if len(d.paths) == 0 {
		return fmt.Errorf("nothing to set")
	}
	inv.described[ds.Self] = d.described
	inv.hidden.set(ds.Self, d.hidden)
	inv.tell(ds, d)
	if c.Mounts.Set {
		inv.link(dc, ds.Self, d.ds.Host)
	}
	return nil
}

// tell applies a draft. The simulator assigns "info" as a whole only and would not tell
// those who watch "info.timestamp"; so it gets "info" to assign, and the path takes that
// place before the lock is released that every watcher of the datastore has to pass.
func (inv *inventory) tell(ds *simulator.Datastore, d *draft) {
	reg := inv.svc.Context.Map
	ctx := inv.context()
	changes := make([]types.PropertyChange, len(d.paths))
	reg.WithLock(ctx, ds, func() {
		for i, path := range d.paths {
			changes[i] = types.PropertyChange{Name: path, Val: valueAt(d.ds, path)}
			if under(path, "info") {
				changes[i] = types.PropertyChange{Name: "info", Val: d.ds.Info}
			}
		}
		ctx.Update(ds, changes)
		for i, path := range d.paths {
			if under(path, "info") {
				changes[i].Name, changes[i].Val = path, valueAt(d.ds, path)
			}
		}
	})
}

// valueAt reads a property or a part of it; nil: it is absent.
func valueAt(ds *mo.Datastore, path string) any {
	v := reflect.ValueOf(ds)
	for name := range strings.SplitSeq(path, ".") {
		v = reflect.Indirect(v).FieldByName(strings.ToUpper(name[:1]) + name[1:])
		if v.Kind() == reflect.Interface {
			v = v.Elem()
		}
	}
	if v = reflect.Indirect(v); !v.IsValid() || v.Kind() == reflect.String && v.Len() == 0 {
		return nil
	}
	return v.Interface()
}

// pathsOf lists the parts of a property, or only itself when it has none that can
// change here; nothing when there is no such property.
func pathsOf(ds *mo.Datastore, property string) []string {
	parts := map[string]reflect.Type{
		"summary":    reflect.TypeFor[types.DatastoreSummary](),
		"capability": reflect.TypeFor[types.DatastoreCapability](),
		"info":       reflect.TypeFor[types.DatastoreInfo](),
	}[property]
	var all []string
	if parts == nil {
		for _, field := range reflect.VisibleFields(reflect.TypeOf(*ds)) {
			if !field.Anonymous && field.Name != "Self" && lowerFirst(field.Name) == property {
				all = append(all, property)
			}
		}
		return all
	}
	for _, field := range reflect.VisibleFields(parts) {
		if !field.Anonymous {
			all = append(all, property+"."+lowerFirst(field.Name))
		}
	}
	return all
}

func lowerFirst(name string) string { return strings.ToLower(name[:1]) + name[1:] }

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
