/* SPDX-License-Identifier: Apache-2.0 */
/* The attributes: what is stated of a patient, of images, and of the entries of a record. */
#include "cohort/private.h"

/* ---- the codes of those whose list is closed --------------------------------------------- */

static const char *const sexes[] = {"female", "male", "other", "unknown", NULL};
static const char *const vital[] = {"alive", "deceased", NULL};
static const char *const sides[] = {"left", "right", "bilateral", NULL};
static const char *const signs[] = {"positive", "negative", NULL};
static const char *const her2[] = {"0", "1+", "2+", "3+", NULL};
static const char *const kinds[] = {"surgery", "radiotherapy", "biopsy", "imaging", "other", NULL};
static const char *const zygosities[] = {"heterozygous", "homozygous", "hemizygous", NULL};
static const char *const origins[] = {"germline", "somatic", NULL};
static const char *const assemblies[] = {"GRCh38", "GRCh37", NULL};
static const char *const grades[] = {"G1", "G2", "G3", "G4", "GX", NULL};
/* The value sets of FHIR R4 that the resources are bound to. */
static const char *const condition_states[] = {
    "active", "recurrence", "relapse", "inactive", "remission", "resolved", "unknown", NULL};
static const char *const medication_states[] = {"active", "in-progress", "completed", "on-hold",
    "stopped", "cancelled", "not-done", "not-taken", "intended", "draft", "unknown", NULL};

/* The categories of the TNM classification, of any site. */
static const char *const t_categories[] = {"T0", "T1", "T1mi", "T1a", "T1b", "T1c", "T1d", "T2",
    "T2a", "T2b", "T2c", "T2d", "T3", "T3a", "T3b", "T3c", "T3d", "T4", "T4a", "T4b", "T4c", "T4d",
    "T4e", "Ta", "Tis", "TX", NULL};
static const char *const n_categories[] = {"N0", "N1", "N1mi", "N1a", "N1b", "N1c", "N2", "N2a",
    "N2b", "N2c", "N3", "N3a", "N3b", "N3c", "NX", NULL};
static const char *const m_categories[] = {"M0", "M1", "M1a", "M1b", "M1c", "M1d", "MX", NULL};
static const char *const stages[] = {"0", "0a", "0is", "I", "IA", "IA1", "IA2", "IA3", "IB", "IB1",
    "IB2", "IB3", "IC", "IC1", "IC2", "IC3", "II", "IIA", "IIA1", "IIA2", "IIB", "IIC", "III",
    "IIIA", "IIIA1", "IIIA2", "IIIB", "IIIC", "IIIC1", "IIIC2", "IIID", "IV", "IVA", "IVB", "IVC",
    NULL};

/* PS3.3 C.7.3.1.1.1, the usual ones first, since the nearest of equals is suggested; then the
 * retired ones, because archives keep them. */
static const char *const modalities[] = {"CT", "MR", "MG", "PT", "US", "NM", "CR", "DX", "XA", "RF",
    "SM", "SEG", "SR", "PR", "KO", "RTSTRUCT", "RTPLAN", "RTDOSE", "RTIMAGE", "RTRECORD", "REG",
    "OT", "ANN", "AR", "ASMT", "AU", "BDUS", "BI", "BMD", "CFM", "CTPROTOCOL", "DG", "DMS", "DOC",
    "ECG", "EEG", "EMG", "EOG", "EPS", "ES", "FID", "GM", "HC", "HD", "IO", "IOL", "IVOCT", "IVUS",
    "KER", "LEN", "LS", "M3D", "OAM", "OCT", "OP", "OPM", "OPT", "OPTBSV", "OPTENF", "OPV", "OSS",
    "PA", "PLAN", "POS", "PX", "RESP", "RG", "RTINTENT", "RTRAD", "RTSEGANN", "RWV", "SMR", "SRF",
    "STAIN", "TEXTUREMAP", "TG", "VA", "XAPROTOCOL", "XC", /* retired: */ "AS", "CD", "CF", "CP",
    "CS", "DD", "DF", "DM", "DS", "EC", "FA", "FS", "LP", "MA", "MS", "OPR", "ST", "VF", NULL};

/* ---- the table --------------------------------------------------------------------------- */

#define ROW(name_, entity_, type_, example_, help_)                                             \
	.name = name_, .entity = COHORT_##entity_, .type = COHORT_##type_, .example = example_, \
	.help = help_
#define NO_UNIT .unit = "", .unit_name = ""
/* Text of any kind; one of a list; a code with its system; a number; a date. */
#define TEXT(...)                         \
	{                                 \
		ROW(__VA_ARGS__), NO_UNIT \
	}
#define LIST(codes_, ...)                                  \
	{                                                  \
		ROW(__VA_ARGS__), NO_UNIT, .codes = codes_ \
	}
#define CODED(...)                                       \
	{                                                \
		ROW(__VA_ARGS__), NO_UNIT, .coded = true \
	}
#define NUMBER(min_, max_, unit_, unit_name_, ...)                                                 \
	{                                                                                          \
		ROW(__VA_ARGS__), .unit = unit_, .unit_name = unit_name_, .min = min_, .max = max_ \
	}
#define DAY(...)                                                                        \
	{                                                                               \
		ROW(__VA_ARGS__), NO_UNIT, .min = COHORT_DAY_MIN, .max = COHORT_DAY_MAX \
	}
#define SHIFTED ", shifted by up to 365 days per patient: use wide windows"

/* clang-format off */
const struct cohort_attribute cohort_attributes[] = {
	/* Images. */
	LIST(modalities, "modality", SERIES, CODE, "modality in (CT, MR)",
	    "Modality (0008,0060), such as CT, MR or MG"),
	TEXT("body_part", SERIES, CODE, "body_part = BREAST",
	    "Body Part Examined (0018,0015), upper case"),
	TEXT("manufacturer", SERIES, CODE, "manufacturer = SIEMENS",
	    "Manufacturer (0008,0070) of the equipment, upper case"),
	TEXT("model", SERIES, CODE, "model = \"DISCOVERY CT750 HD\"",
	    "Manufacturer's Model Name (0008,1090), upper case"),
	NUMBER(0, 1000, "mm", "mm", "slice_thickness", SERIES, NUMBER, "slice_thickness <= 2.5",
	    "Slice Thickness (0018,0050)"),
	DAY("study_date", STUDY, DAY, "study_date >= 2020-01-01",
	    "Study Date (0008,0020)" SHIFTED),
	NUMBER(0, 55000, "d", "days", "study_day", STUDY, NUMBER, "study_day between 1 and 90",
	    "Days since the patient's first study; exact, because shifting keeps intervals"),
	NUMBER(0, 150, "a", "years", "age", STUDY, NUMBER, "age between 40 and 60",
	    "Age of the patient at imaging, in years; 90 stands for 90 and older"),
	TEXT("sop_class", SERIES, CODE, "sop_class = CTImageStorage",
	    "SOP Class UID (0008,0016), or the keyword of a storage class"),

	/* The patient. */
	LIST(sexes, "sex", PATIENT, CODE, "sex = female",
	    "Patient's Sex (0010,0040), or the record's"),
	{ROW("birth_date", PATIENT, DAY, "birth_date < 1950-01-01",
	    "Date of birth: kept for the computation of ages, not asked about"), NO_UNIT,
	    .min = COHORT_DAY_MIN, .max = COHORT_DAY_MAX, .withheld = true},
	LIST(vital, "vital_status", PATIENT, CODE, "vital_status = deceased",
	    "Whether the patient is known to have died"),
	DAY("death_date", PATIENT, DAY, "death_date exists", "Date of death" SHIFTED),

	/* Conditions. */
	CODED("diagnosis", CONDITION, CODE, "diagnosis in icd10:C34",
	    "Diagnosis, as a code with its system: icd10:C34.1, snomed:254837009"),
	DAY("diagnosis_date", CONDITION, DAY, "diagnosis_date >= 2018-01-01",
	    "Date of the diagnosis" SHIFTED),
	NUMBER(0, 150, "a", "years", "age_at_diagnosis", CONDITION, NUMBER,
	    "age_at_diagnosis between 40 and 50",
	    "Age of the patient at the diagnosis, in years; 90 stands for 90 and older"),
	NUMBER(1, 9999, "", "", "year_of_diagnosis", CONDITION, NUMBER,
	    "year_of_diagnosis between 2015 and 2020",
	    "Year of the diagnosis, of the shifted date: the true year may be one off"),
	CODED("topography", CONDITION, CODE, "topography in icdo3:C50",
	    "Site of a tumour: icdo3:C50.1"),
	CODED("morphology", CONDITION, CODE, "morphology = icdo3:8500/3",
	    "Histology and behaviour of a tumour: icdo3:8500/3"),
	LIST(sides, "laterality", CONDITION, CODE, "laterality = left", "Side of the body"),
	LIST(condition_states, "clinical_status", CONDITION, CODE, "clinical_status = active",
	    "Whether the condition goes on"),

	/* Observations: any of them by its code, and those that have an attribute of their own. */
	CODED("observation", OBSERVATION, CODE, "observation = loinc:2857-1",
	    "What was observed: loinc:2857-1"),
	DAY("observation_date", OBSERVATION, DAY, "observation_date >= 2020-01-01",
	    "Date of the observation" SHIFTED),
	NUMBER(-1e15, 1e15, "", "", "observation_value", OBSERVATION, NUMBER,
	    "observation_value > 4", "Number that was observed, in observation_unit"),
	TEXT("observation_unit", OBSERVATION, CODE, "observation_unit = ng/mL",
	    "Unit of observation_value, as UCUM writes it"),
	CODED("observation_result", OBSERVATION, CODE, "observation_result = snomed:10828004",
	    "Code that was observed: snomed:10828004 (positive)"),
	LIST(signs, "er", OBSERVATION, CODE, "er = positive", "Oestrogen receptor"),
	LIST(signs, "pr", OBSERVATION, CODE, "pr = negative", "Progesterone receptor"),
	LIST(her2, "her2", OBSERVATION, CODE, "her2 in (2+, 3+)", "HER2 by immunohistochemistry"),
	NUMBER(0, 1e6, "ng/mL", "ng/mL", "psa", OBSERVATION, NUMBER, "psa between 4 and 10",
	    "Prostate-specific antigen"),
	NUMBER(0, 100, "%", "per cent", "ki67", OBSERVATION, NUMBER, "ki67 >= 20",
	    "Ki-67 proliferation index"),
	NUMBER(2, 10, "", "", "gleason", OBSERVATION, NUMBER, "gleason >= 7", "Gleason score"),
	NUMBER(1, 5, "", "", "isup", OBSERVATION, NUMBER, "isup in (4, 5)", "ISUP grade group"),
	NUMBER(0, 6, "", "", "bi_rads", OBSERVATION, NUMBER, "bi_rads >= 4",
	    "BI-RADS assessment category"),
	NUMBER(1, 5, "", "", "pi_rads", OBSERVATION, NUMBER, "pi_rads >= 4", "PI-RADS category"),
	NUMBER(0, 5, "", "", "ecog", OBSERVATION, NUMBER, "ecog <= 1", "ECOG performance status"),
	LIST(t_categories, "clinical_t", OBSERVATION, CODE, "clinical_t in (T1, T1a, T1b, T1c)",
	    "Clinical T category"),
	LIST(n_categories, "clinical_n", OBSERVATION, CODE, "clinical_n = N0",
	    "Clinical N category"),
	LIST(m_categories, "clinical_m", OBSERVATION, CODE, "clinical_m = M0",
	    "Clinical M category"),
	LIST(t_categories, "pathological_t", OBSERVATION, CODE, "pathological_t like \"T2%\"",
	    "Pathological T category"),
	LIST(n_categories, "pathological_n", OBSERVATION, CODE, "pathological_n != N0",
	    "Pathological N category"),
	LIST(m_categories, "pathological_m", OBSERVATION, CODE, "pathological_m = M1",
	    "Pathological M category"),
	LIST(stages, "stage_group", OBSERVATION, CODE, "stage_group in (III, IIIA, IIIB)",
	    "Stage group"),
	LIST(grades, "histologic_grade", OBSERVATION, CODE, "histologic_grade = G3",
	    "Histologic grade"),

	/* What was done and given. */
	CODED("procedure", PROCEDURE, CODE, "procedure in snomed:392021009",
	    "Procedure: snomed:392021009"),
	DAY("procedure_date", PROCEDURE, DAY, "procedure_date < 2024-01-01",
	    "Date of the procedure" SHIFTED),
	LIST(kinds, "procedure_kind", PROCEDURE, CODE, "procedure_kind = surgery",
	    "What kind of procedure it was"),
	CODED("procedure_site", PROCEDURE, CODE, "procedure_site = snomed:76752008",
	    "Where in the body: snomed:76752008"),
	CODED("medication", MEDICATION, CODE, "medication in atc:L01",
	    "Medicine: atc:L01XE03, rxnorm:1037042"),
	DAY("medication_date", MEDICATION, DAY, "medication_date >= 2020-01-01",
	    "Date from which it was given" SHIFTED),
	LIST(medication_states, "medication_status", MEDICATION, CODE,
	    "medication_status = completed", "State of the prescription or the giving"),

	/* Specimens and variants. */
	CODED("specimen_type", SPECIMEN, CODE, "specimen_type = snomed:119376003",
	    "What the specimen is: snomed:119376003 (tissue)"),
	DAY("specimen_date", SPECIMEN, DAY, "specimen_date >= 2020-01-01",
	    "Date of the collection" SHIFTED),
	CODED("specimen_site", SPECIMEN, CODE, "specimen_site in icdo3:C50",
	    "Where it was taken from: icdo3:C50.1"),
	TEXT("gene", VARIANT, CODE, "gene like \"BRCA%\"", "Gene, by its HGNC symbol"),
	TEXT("variant", VARIANT, CODE, "variant = GRCh38:7:55191822:T:G",
	    "Assembly, chromosome, position, reference and alternate allele, normalised"),
	LIST(assemblies, "assembly", VARIANT, CODE, "assembly = GRCh38",
	    "Genome that the position is of"),
	TEXT("chromosome", VARIANT, CODE, "chromosome = 7", "Chromosome: 1 to 22, X, Y, MT"),
	NUMBER(1, 4294967295, "", "", "position", VARIANT, NUMBER,
	    "position between 55191800 and 55191900",
	    "Position on the chromosome; the first base is 1"),
	TEXT("reference_allele", VARIANT, CODE, "reference_allele = T", "Bases of the reference"),
	TEXT("alternate_allele", VARIANT, CODE, "alternate_allele = G", "Bases found instead"),
	TEXT("protein_change", VARIANT, CODE, "protein_change = L858R",
	    "Change of the protein, one-letter codes without p."),
	TEXT("coding_change", VARIANT, CODE, "coding_change = \"c.2573T>G\"",
	    "Change of the coding sequence, as HGVS writes it"),
	TEXT("consequence", VARIANT, CODE, "consequence = missense_variant",
	    "Consequence, as a term of the Sequence Ontology"),
	LIST(zygosities, "zygosity", VARIANT, CODE, "zygosity = heterozygous",
	    "Whether one or both copies have it"),
	LIST(origins, "origin", VARIANT, CODE, "origin = somatic", "Inherited, or of the tumour"),
	NUMBER(0, 1, "", "", "allele_fraction", VARIANT, NUMBER, "allele_fraction >= 0.05",
	    "Share of the reads that have it"),
	TEXT("clinical_significance", VARIANT, CODE, "clinical_significance = pathogenic",
	    "What it means for the patient, as ClinVar writes it"),
	TEXT("filter", VARIANT, CODE, "filter = PASS", "What the caller's filters say of it"),
};
/* clang-format on */
