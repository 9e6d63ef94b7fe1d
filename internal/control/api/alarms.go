package api

import (
	"encoding/json"
	"fmt"
	"net/http"

	rpc "towpath.dev/api/towpathv1/towpathv1connect"
	"towpath.dev/internal/control/access"
)

// AlarmsPath is where Alertmanager tells of alarms, as its webhook receiver does.
const AlarmsPath = "/hooks/alertmanager"

// alarms is what Alertmanager sends, of which this is what matters.
// https://prometheus.io/docs/alerting/latest/configuration/#webhook_config
type alarms struct {
	Alerts []struct {
		Status      string            `json:"status"`
		Labels      map[string]string `json:"labels"`
		Annotations map[string]string `json:"annotations"`
	} `json:"alerts"`
}

// The labels of an alarm that takes deployments back: which program's, where, and that it
// shall.
const (
	alarmProgram     = "towpath_program"
	alarmEnvironment = "towpath_environment"
)

// alarmRoute has deployments go back that are under way while an alarm fires that names
// their program and environment. Alarms of others are none of its business.
func (s *deployService) alarmRoute() Route {
	return Route{
		Pattern: "POST " + AlarmsPath, Procedure: rpc.DeployServiceAskDeploymentProcedure,
		Subject: func(*http.Request) (string, string) { return access.Subject("alarms"), "" },
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			var all alarms
			if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, int64(s.opts.MaxBody))).Decode(&all); err != nil {
				plain(w, http.StatusBadRequest, fmt.Sprintf("expected what Alertmanager's webhook sends: %v\n", err))
				return
			}
			asked := 0
			for _, a := range all.Alerts {
				program, environment := a.Labels[alarmProgram], a.Labels[alarmEnvironment]
				if a.Status != "firing" || program == "" || environment == "" {
					continue
				}
				who := access.Caller(r.Context())
				if err := access.PermitIn(who, environment); err != nil {
					plain(w, http.StatusForbidden, err.Error()+"\n")
					return
				}
				why := "the alarm " + a.Labels["alertname"]
				if text := a.Annotations["summary"]; text != "" {
					why += ": " + text
				}
				ok, err := s.service.AskActive(r.Context(), environment, program, who.Name, why)
				if err != nil {
					plain(w, http.StatusServiceUnavailable, "the store cannot be asked now; send it again\n")
					return
				}
				if ok {
					asked++
				}
			}
			plain(w, http.StatusOK, fmt.Sprintf("%d deployments go back\n", asked))
		}),
	}
}
