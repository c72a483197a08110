package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/vmware/govmomi/vim25/types"
	"github.com/vmware/govmomi/vim25/xml"
)

// registerControl puts the control endpoints beside the API. They need no session:
// they are the hand of the test, not part of the simulated product.
func registerControl(mux *http.ServeMux, inv *inventory, g *gate) {
	// locked runs a change of the inventory and answers with its result.
	locked := func(w http.ResponseWriter, do func() (any, error)) {
		inv.mu.Lock()
		defer inv.mu.Unlock()
		reply(w, do)
	}

	mux.HandleFunc("POST /ctl/datastore", func(w http.ResponseWriter, r *http.Request) {
		var req struct {
			Name       string `json:"name"`
			Datacenter string `json:"datacenter"`
			Set        change `json:"set"`
		}
		if !decode(w, r, &req) {
			return
		}
		locked(w, func() (any, error) {
			dc, ds, err := inv.find(req.Datacenter, req.Name)
			if err != nil {
				return nil, err
			}
			return datastoreReply{ds.Self.Value}, inv.set(dc, ds, req.Set)
		})
	})

	mux.HandleFunc("POST /ctl/datastore/create", func(w http.ResponseWriter, r *http.Request) {
		var req struct {
			datastoreSpec
			Datacenter string `json:"datacenter"`
		}
		if !decode(w, r, &req) {
			return
		}
		locked(w, func() (any, error) {
			dc, err := inv.datacenter(req.Datacenter)
			if err != nil {
				return nil, err
			}
			ref, err := inv.create(dc, req.datastoreSpec)
			return datastoreReply{ref.Value}, err
		})
	})

	mux.HandleFunc("DELETE /ctl/datastore", func(w http.ResponseWriter, r *http.Request) {
		q := r.URL.Query()
		locked(w, func() (any, error) {
			dc, ds, err := inv.find(q.Get("datacenter"), q.Get("name"))
			if err != nil {
				return nil, err
			}
			inv.delete(dc, ds)
			return datastoreReply{ds.Self.Value}, nil
		})
	})

	mux.HandleFunc("GET /ctl/datastores", func(w http.ResponseWriter, _ *http.Request) {
		reply(w, func() (any, error) { return inv.references(), nil })
	})

	mux.HandleFunc("POST /ctl/host", func(w http.ResponseWriter, r *http.Request) {
		var req struct {
			Name string    `json:"name"`
			Set  hostState `json:"set"`
		}
		if !decode(w, r, &req) {
			return
		}
		locked(w, func() (any, error) {
			_, host, err := inv.host(req.Name)
			if err != nil {
				return nil, err
			}
			return hostReply{host.Self.Value}, inv.setHost(host, req.Set)
		})
	})

	mux.HandleFunc("POST /ctl/host/create", func(w http.ResponseWriter, r *http.Request) {
		var req struct {
			hostSpec
			Datacenter string `json:"datacenter"`
			Cluster    string `json:"cluster"`
		}
		if !decode(w, r, &req) {
			return
		}
		locked(w, func() (any, error) {
			dc, err := inv.datacenter(req.Datacenter)
			if err != nil {
				return nil, err
			}
			c, err := dc.cluster(req.Cluster)
			if err != nil {
				return nil, err
			}
			ref, err := inv.createHost(dc, c, req.hostSpec)
			return hostReply{ref.Value}, err
		})
	})

	mux.HandleFunc("DELETE /ctl/host", func(w http.ResponseWriter, r *http.Request) {
		name := r.URL.Query().Get("name")
		locked(w, func() (any, error) {
			place, host, err := inv.host(name)
			if err != nil {
				return nil, err
			}
			return hostReply{host.Self.Value}, inv.deleteHost(name, place)
		})
	})

	mux.HandleFunc("POST /ctl/update", func(w http.ResponseWriter, r *http.Request) {
		var up types.ObjectUpdate
		dec := xml.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody))
		dec.TypeFunc = types.TypeFunc()
		if err := dec.Decode(&up); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		locked(w, func() (any, error) { return struct{}{}, inv.apply(up) })
	})

	mux.HandleFunc("POST /ctl/fault", func(w http.ResponseWriter, r *http.Request) {
		rule := new(faultRule)
		if !decode(w, r, rule) {
			return
		}
		reply(w, func() (any, error) {
			switch {
			case rule.Method == "":
				return nil, errors.New(`no method ("*" means all)`)
			case rule.Fault != "" && !knownFault(rule.Fault):
				return nil, fmt.Errorf("%q is not a fault of this API", rule.Fault)
			case rule.Fault == "" && rule.DelayMs <= 0:
				return nil, errors.New("neither fault nor delayMs")
			}
			rule.left = limit(rule.Count)
			g.mu.Lock()
			g.faults = append(g.faults, rule)
			g.mu.Unlock()
			return struct{}{}, nil
		})
	})

	mux.HandleFunc("DELETE /ctl/fault", func(w http.ResponseWriter, _ *http.Request) {
		reply(w, func() (any, error) {
			g.mu.Lock()
			g.faults, g.status = nil, nil
			g.mu.Unlock()
			return struct{}{}, nil
		})
	})

	mux.HandleFunc("POST /ctl/http", func(w http.ResponseWriter, r *http.Request) {
		rule := new(statusRule)
		if !decode(w, r, rule) {
			return
		}
		reply(w, func() (any, error) {
			if rule.Status < 300 || rule.Status > 599 {
				return nil, fmt.Errorf("status %d is not an error", rule.Status)
			}
			rule.left = limit(rule.Count)
			g.mu.Lock()
			g.status = append(g.status, rule)
			g.mu.Unlock()
			return struct{}{}, nil
		})
	})

	mux.HandleFunc("GET /ctl/sessions", func(w http.ResponseWriter, _ *http.Request) {
		type session struct {
			Key        string    `json:"key"`
			User       string    `json:"user"`
			LoginTime  time.Time `json:"loginTime"`
			LastActive time.Time `json:"lastActive"`
			Calls      int64     `json:"calls"`
			UserAgent  string    `json:"userAgent"`
		}
		reply(w, func() (any, error) {
			list := []session{}
			for _, s := range g.sessions() {
				list = append(list, session{s.Key, s.UserName, s.LoginTime, s.LastActiveTime, s.CallCount, s.UserAgent})
			}
			return map[string]any{"sessions": list}, nil
		})
	})

	mux.HandleFunc("DELETE /ctl/sessions", func(w http.ResponseWriter, _ *http.Request) {
		reply(w, func() (any, error) { return map[string]int{"terminated": g.endSessions()}, nil })
	})

	mux.HandleFunc("GET /ctl/logins", func(w http.ResponseWriter, _ *http.Request) {
		reply(w, func() (any, error) {
			g.mu.Lock()
			defer g.mu.Unlock()
			if t := g.counts["Login"]; t != nil {
				return *t, nil
			}
			return tally{}, nil
		})
	})

	mux.HandleFunc("GET /ctl/requests", func(w http.ResponseWriter, _ *http.Request) {
		reply(w, func() (any, error) {
			g.mu.Lock()
			defer g.mu.Unlock()
			all := make(map[string]tally, len(g.counts))
			for method, t := range g.counts {
				all[method] = *t
			}
			return all, nil
		})
	})
}

type datastoreReply struct {
	Datastore string `json:"datastore"`
}

type hostReply struct {
	Host string `json:"host"`
}

const maxBody = 1 << 20

func decode(w http.ResponseWriter, r *http.Request, into any) bool {
	if err := decodeStrict(http.MaxBytesReader(w, r.Body, maxBody), into); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return false
	}
	return true
}

func reply(w http.ResponseWriter, do func() (any, error)) {
	value, err := do()
	if err != nil {
		status := http.StatusBadRequest
		switch {
		case errors.As(err, new(missing)):
			status = http.StatusNotFound
		case errors.As(err, new(conflict)):
			status = http.StatusConflict
		}
		http.Error(w, err.Error(), status)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(value)
}
