-- SPDX-License-Identifier: Apache-2.0
-- Researchers learn how many patients match, never who: small groups are suppressed, larger ones
-- are rounded. Whoever asks for a research purpose is treated alike, operators too.

local minimum_cell = setting("minimum_cell", "whole number")
local rounding = setting("rounding", "whole number")
local difference = setting("difference", "whole number")
local noise = setting("noise", "whole number")
local answers_per_day = setting("answers_per_day", "whole number")
local permitted = setting("permitted_purposes", "list")

-- A 0 here would hand out exact, small numbers by mistake. Who wants that writes a rule that says so.
assert(minimum_cell >= 3, "settings.yaml: minimum_cell must be at least 3")
assert(rounding >= 1, "settings.yaml: rounding must be at least 1")

-- Names that this site does not know get no answer. Knowing them means a line in settings.yaml.
rule {
	name = "known-principal",
	subjects = { "cohort.*", "imaging.*", "fhir.*", "genomics.import", "table.*" },
	decide = function(q)
		if q.principal.role == "" then
			return deny("'%s' is not known at this site; add them under 'principals' in settings.yaml",
				q.principal.name)
		end
	end,
}

rule {
	name = "rounded-counts",
	subjects = { "cohort.count", "cohort.explain", "cohort.breakdown", "cohort.distribution" },
	decide = function(q)
		local role = q.principal.role
		if (role == "researcher" or role == "operator") and contains(permitted, q.purpose) then
			return permit {
				reason = string.format(
					"counts for %s: groups under %d patients are suppressed, others rounded to %d; "
						.. "questions that differ by fewer than %d patients get one answer",
					q.purpose, minimum_cell, rounding, difference),
				obligations = {
					min_cell = minimum_cell,
					round = rounding,
					difference = difference,
					noise = noise > 0 and noise or nil,
					budget = answers_per_day,
				},
			}
		end
	end,
}

rule {
	name = "no-records",
	subjects = { "cohort.select" },
	decide = function(q)
		if q.principal.role == "researcher" then
			return deny("researchers get counts, not records; for records this site needs a data permit, "
				.. "and its operator carries out the export")
		end
	end,
}

rule {
	name = "no-import",
	subjects = { "imaging.import", "fhir.*", "genomics.*", "table.*" },
	decide = function(q)
		if q.principal.role == "researcher" then
			return deny("only this site's operators bring data in")
		end
	end,
}
